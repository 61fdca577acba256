"""Phantoms under napari's *Open Sample*."""

from __future__ import annotations

from typing import Any

from napari_slagseg.phantom import DEMO_DEGRADATION, DEMO_PRESET, DEMO_SEED, Preset, make_phantom
from napari_slagseg.widgets.layers import phase_colormap, placement
from napari_slagseg.widgets.levels import contrast_limits


def _layers(preset: Preset) -> list[tuple[Any, dict[str, Any], str]]:
    phantom = make_phantom(preset, DEMO_DEGRADATION, DEMO_SEED)
    place = placement(phantom.ct.voxel_size_um)
    found: list[tuple[Any, dict[str, Any], str]] = [
        (
            phantom.ct.data,
            {
                "name": "phantom CT",
                "colormap": "gray",
                "contrast_limits": contrast_limits(phantom.ct.data),
                **place,
            },
            "image",
        ),
        (
            phantom.phases,
            {"name": "true phases", "colormap": phase_colormap(phantom.table), **place},
            "labels",
        ),
        (phantom.particles, {"name": "true particles", "visible": False, **place}, "labels"),
    ]
    return found


def tiny_phantom() -> list[tuple[Any, dict[str, Any], str]]:
    """Tiny correlative phantom with its truth."""
    return _layers("tiny")


def sample_phantom() -> list[tuple[Any, dict[str, Any], str]]:
    """Phantom of the demo with its truth."""
    return _layers(DEMO_PRESET)


__all__ = ["sample_phantom", "tiny_phantom"]
