"""Synthetic correlative samples with exact truth."""

from napari_slagseg.phantom.cuts import CutSurface, PhantomMap, cut_along
from napari_slagseg.phantom.files import PhantomTruth, read_phantom_truth, write_phantom
from napari_slagseg.phantom.make import (
    DrawnSample,
    PackedSample,
    Phantom,
    cut_maps,
    degrade_sample,
    draw_sample,
    make_phantom,
    pack_sample,
)
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
    "CutSurface",
    "Degradation",
    "DrawnSample",
    "PackedSample",
    "Phantom",
    "PhantomMap",
    "PhantomTruth",
    "Preset",
    "cut_along",
    "cut_maps",
    "degrade_sample",
    "draw_sample",
    "make_phantom",
    "pack_sample",
    "read_phantom_truth",
    "write_phantom",
]
