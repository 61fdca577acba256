"""What a segmentation shows of its own errors, without truth: a queue of suspects."""

from napari_slagseg.evaluation.suspects.features import SuspectFeatures, features_of_blocks
from napari_slagseg.evaluation.suspects.population import Population
from napari_slagseg.evaluation.suspects.queue import find_suspects, suspects_of_blocks
from napari_slagseg.evaluation.suspects.ranking import SUSPECT_COLUMNS, ranked

__all__ = [
    "SUSPECT_COLUMNS",
    "Population",
    "SuspectFeatures",
    "features_of_blocks",
    "find_suspects",
    "ranked",
    "suspects_of_blocks",
]
