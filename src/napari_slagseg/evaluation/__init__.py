"""Prediction against truth: particles, phases, descriptors, partitions.

Voxels whose truth is unknown (-1) take no part in any score, and a ratio with a
zero denominator is NaN.
"""

from napari_slagseg.evaluation.contingency import Contingency, contingency
from napari_slagseg.evaluation.descriptor_scores import score_descriptors
from napari_slagseg.evaluation.particle_scores import (
    ParticleMatches,
    match_particles,
    match_sections,
    score_particles,
)
from napari_slagseg.evaluation.partition_scores import score_partition
from napari_slagseg.evaluation.phase_scores import (
    average_weighted_error,
    binary_scores,
    score_classes,
    score_phases,
)
from napari_slagseg.evaluation.section_scores import (
    TABLE_2,
    MatchedSections,
    matched_sections,
    score_sections,
)

__all__ = [
    "TABLE_2",
    "Contingency",
    "MatchedSections",
    "ParticleMatches",
    "average_weighted_error",
    "binary_scores",
    "contingency",
    "match_particles",
    "match_sections",
    "matched_sections",
    "score_classes",
    "score_descriptors",
    "score_particles",
    "score_partition",
    "score_phases",
    "score_sections",
]
