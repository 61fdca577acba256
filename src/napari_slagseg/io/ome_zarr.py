"""What OME-Zarr (0.4 on Zarr 2, 0.5 on Zarr 3) says about an image.

Levels, their axes and their scales are a page of JSON; the arrays themselves are
zarr's business.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from napari_slagseg.data import SlagsegError, VoxelSize
from napari_slagseg.io.stored import micrometres_per

_NOT_ONE = {"c": "channels", "t": "time points"}


@dataclass(frozen=True)
class Multiscale:
    """A level of an OME-Zarr image.

    Attributes
    ----------
    level : str
        Path of its array within the group.
    axes : tuple of str
        Names of the array's axes.
    voxel_size_um : (z, y, x) or None
    why_no_size : str
    scale, translation : (z, y, x)
        Edges of a voxel and centre of the first one, as stated: in micrometres if the
        axes have a unit of length.
    """

    level: str
    axes: tuple[str, ...]
    voxel_size_um: VoxelSize | None
    why_no_size: str
    scale: tuple[float, ...]
    translation: tuple[float, ...]


def multiscale(attributes: Mapping[str, Any], name: str) -> Multiscale | None:
    """Finest level by a group's attributes; None where they are not of OME-Zarr.

    Raises
    ------
    SlagsegError
        If the metadata are there but damaged.
    """
    found = levels_of(attributes, name)
    if not found:
        return None
    return found[0]


def levels_of(attributes: Mapping[str, Any], name: str) -> list[Multiscale]:
    """All levels by a group's attributes, finest first; none where they are not of OME-Zarr.

    Raises
    ------
    SlagsegError
        If the metadata are there but damaged.
    """
    within = attributes.get("ome", attributes)
    entries = within.get("multiscales") if isinstance(within, Mapping) else None
    if not entries:
        return []
    try:
        entry = entries[0]
        axes = [dict(a) if isinstance(a, Mapping) else {"name": a} for a in entry.get("axes", [])]
        names = tuple(str(a["name"]) for a in axes)
        return [
            Multiscale(str(d["path"]), names, *_size(entry, d, axes), *_place(entry, d, axes))
            for d in (entry["datasets"][0], *entry["datasets"][1:])
        ]
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise SlagsegError(
            f"{name} has damaged OME-Zarr metadata (multiscales: {type(error).__name__} {error}). "
            "Name the array itself, for example .../0."
        ) from error


def _place(
    entry: Mapping[str, Any], dataset: Mapping[str, Any], axes: Sequence[Mapping[str, Any]]
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Scale and translation along (z, y, x) in micrometres, or in the units there are."""
    scale, shift = np.ones(len(axes)), np.zeros(len(axes))
    for step in (
        *(dataset.get("coordinateTransformations") or []),
        *(entry.get("coordinateTransformations") or []),
    ):
        if step.get("type") == "scale" and len(step["scale"]) == len(axes):
            factor = np.asarray(step["scale"], float)
            scale, shift = scale * factor, shift * factor
        elif step.get("type") == "translation" and len(step["translation"]) == len(axes):
            shift = shift + np.asarray(step["translation"], float)
    units = [micrometres_per(axis.get("unit")) or 1.0 for axis in axes]
    names = [str(axis["name"]).lower() for axis in axes]
    kept = [names.index(n) for n in "zyx" if n in names]
    return (
        tuple(float(scale[i] * units[i]) for i in kept),
        tuple(float(shift[i] * units[i]) for i in kept),
    )


def _size(
    entry: Mapping[str, Any], dataset: Mapping[str, Any], axes: Sequence[Mapping[str, Any]]
) -> tuple[VoxelSize | None, str]:
    """Scales of the level and of the whole image multiply."""
    steps = [
        *(dataset.get("coordinateTransformations") or []),
        *(entry.get("coordinateTransformations") or []),
    ]
    scales = [step["scale"] for step in steps if step.get("type") == "scale"]
    if not scales or any(len(scale) != len(axes) for scale in scales):
        return None, "its OME-Zarr metadata hold no scale"
    scale = np.prod(np.asarray(scales, dtype=float), axis=0)
    sizes = []
    for name in "zyx":
        found = [i for i, axis in enumerate(axes) if axis["name"] == name]
        if not found:
            return None, f"its OME-Zarr metadata name no axis '{name}'"
        factor = micrometres_per(axes[found[0]].get("unit"))
        if factor is None:
            return None, f"its OME-Zarr metadata give no unit of length for axis '{name}'"
        sizes.append(float(scale[found[0]]) * factor)
    z, y, x = sizes
    if not all(np.isfinite(sizes)) or min(sizes) <= 0:
        return None, f"its OME-Zarr metadata state the scale {sizes}"
    return (z, y, x), ""


def spatial_axes(
    axes: Sequence[str], shape: tuple[int, ...], name: str
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """How to turn an array with named axes into (z, y, x).

    Returns
    -------
    order : tuple of int
        Transposition that puts the other axes first and z, y, x last.
    shape : tuple of int
        Shape after it, the other axes (of length one) dropped.

    Raises
    ------
    SlagsegError
        If an axis other than z, y, x is longer than one.
    """
    lower = [axis.lower() for axis in axes]
    if len(lower) != len(shape) or not {"y", "x"} <= set(lower):
        return tuple(range(len(shape))), shape
    spatial = [lower.index(axis) for axis in "zyx" if axis in lower]
    others = [i for i in range(len(shape)) if i not in spatial]
    for i in others:
        if shape[i] != 1:
            raise SlagsegError(
                f"{name} has {shape[i]} {_NOT_ONE.get(lower[i], 'planes along ' + axes[i])} (axes "
                f"{', '.join(axes)}, shape {shape}); one grey value a voxel is needed. Save one "
                "of them on its own."
            )
    return (*others, *spatial), tuple(shape[i] for i in spatial)


@dataclass(frozen=True)
class Level:
    """Where a level of a multiscale image lies, in voxels of the finest.

    Attributes
    ----------
    path : str
        Of its array within the group.
    factors : (z, y, x)
        Voxels of the finest level along an edge of one of its voxels.
    offsets : (z, y, x)
        Place of the centre of its first voxel: (factor - 1) / 2 where voxels are
        means, a whole number where they are picked.
    """

    path: str
    factors: tuple[float, ...]
    offsets: tuple[float, ...]


def image_attributes(
    name: str, ndim: int, voxel_size_um: VoxelSize | None, levels: Sequence[Level] = ()
) -> dict[str, Any]:
    """Attributes of an OME-Zarr 0.5 group; without levels, its only one is the array ``0``."""
    unit = {} if voxel_size_um is None else {"unit": "micrometer"}
    size = [1.0] * ndim if voxel_size_um is None else list(voxel_size_um[-ndim:])
    datasets = []
    for level in levels or (Level("0", (1.0,) * ndim, (0.0,) * ndim),):
        steps = [{"type": "scale", "scale": [f * s for f, s in zip(level.factors, size)]}]
        if any(level.offsets):
            shift = [o * s for o, s in zip(level.offsets, size)]
            steps.append({"type": "translation", "translation": shift})
        datasets.append({"path": level.path, "coordinateTransformations": steps})
    axes = [{"name": a, "type": "space", **unit} for a in "zyx"[-ndim:]]
    return {
        "ome": {
            "version": "0.5",
            "multiscales": [{"name": name, "axes": axes, "datasets": datasets}],
        }
    }


__all__ = ["Level", "Multiscale", "image_attributes", "levels_of", "multiscale", "spatial_axes"]
