"""Probabilities to particles."""

from typing import TYPE_CHECKING, Any

from napari_slagseg.segmentation.label_blocks import (
    LabelCounts,
    label_counts_of_blocks,
    remove_small_in_blocks,
)
from napari_slagseg.segmentation.label_volumes import relabel_sequential, remove_small
from napari_slagseg.segmentation.perturbation import CHANGES, PerturbedVolume, perturbed
from napari_slagseg.segmentation.pieces import connected_pieces, label_pieces
from napari_slagseg.segmentation.separation import (
    Separation,
    SeparationCounts,
    separate_blocks,
    separate_particles,
)

if TYPE_CHECKING:
    from napari_slagseg.segmentation.baseline import distance_watershed


def __getattr__(name: str) -> Any:
    # scikit-image's morphology takes a while to import, and few need the baseline
    if name == "distance_watershed":
        from importlib import import_module

        return getattr(import_module(f"{__name__}.baseline"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "CHANGES",
    "LabelCounts",
    "PerturbedVolume",
    "Separation",
    "SeparationCounts",
    "connected_pieces",
    "distance_watershed",
    "label_counts_of_blocks",
    "label_pieces",
    "perturbed",
    "relabel_sequential",
    "remove_small",
    "remove_small_in_blocks",
    "separate_blocks",
    "separate_particles",
]
