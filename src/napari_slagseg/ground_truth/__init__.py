"""Placed maps to sparse labels and weights; painted corrections."""

from napari_slagseg.ground_truth.balance import phase_weights, weight_balance
from napari_slagseg.ground_truth.border_weights import border_weight
from napari_slagseg.ground_truth.build import TruthSettings, build_ground_truth
from napari_slagseg.ground_truth.corrections import add_known, apply_corrections
from napari_slagseg.ground_truth.held_out import hold_out
from napari_slagseg.ground_truth.map_particles import label_map_particles
from napari_slagseg.ground_truth.rasterise import (
    Sheet,
    invert_surface,
    sheet_on_cutouts,
    sheet_on_surface,
)
from napari_slagseg.ground_truth.touching import touching_particles

__all__ = [
    "Sheet",
    "TruthSettings",
    "add_known",
    "apply_corrections",
    "border_weight",
    "build_ground_truth",
    "hold_out",
    "invert_surface",
    "label_map_particles",
    "phase_weights",
    "sheet_on_cutouts",
    "sheet_on_surface",
    "touching_particles",
    "weight_balance",
]
