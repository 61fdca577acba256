"""Synthetic correlative samples with exact truth."""

from napari_slagseg.phantom.cuts import PhantomMap
from napari_slagseg.phantom.files import PhantomTruth, read_phantom_truth, write_phantom
from napari_slagseg.phantom.make import Phantom, make_phantom
from napari_slagseg.phantom.presets import (
    DEMO_DEGRADATION,
    DEMO_PRESET,
    DEMO_SEED,
    LEVELS,
    PHASES,
    PRESETS,
    Degradation,
    Preset,
)

__all__ = [
    "DEMO_DEGRADATION",
    "DEMO_PRESET",
    "DEMO_SEED",
    "LEVELS",
    "PHASES",
    "PRESETS",
    "Degradation",
    "Phantom",
    "PhantomMap",
    "PhantomTruth",
    "Preset",
    "make_phantom",
    "read_phantom_truth",
    "write_phantom",
]
