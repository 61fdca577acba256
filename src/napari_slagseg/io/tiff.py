"""TIFF in all the forms in which CT volumes come."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import tifffile
from numpy.typing import NDArray

from napari_slagseg.data import SlagsegError, VoxelSize
from napari_slagseg.io.atomic import atomic_file
from napari_slagseg.io.guards import check_numeric

SUFFIXES = (".tif", ".tiff", ".btf", ".tf8")

MICROMETRES = {
    "nm": 1e-3, "nanometer": 1e-3, "nanometre": 1e-3,
    "um": 1.0, "µm": 1.0, "μm": 1.0, "\\u00b5m": 1.0, "\\u00B5m": 1.0, "micron": 1.0,
    "microns": 1.0, "micrometer": 1.0, "micrometre": 1.0,
    "mm": 1e3, "millimeter": 1e3, "millimetre": 1e3,
    "cm": 1e4, "centimeter": 1e4, "centimetre": 1e4,
    "m": 1e6, "meter": 1e6, "metre": 1e6,
    "inch": 25400.0,
}  # fmt: skip
"""Micrometres in a unit of length, by the names that files use."""


def natural_order(path: Path) -> list[Any]:
    """Sort key under which slice_2 comes before slice_10."""
    return [int(part) if part.isdigit() else part.lower() for part in re.split(r"(\d+)", path.name)]


def _unreadable(path: Path, error: Exception) -> SlagsegError:
    return SlagsegError(
        f"{path} cannot be read as TIFF ({error}). It may be damaged or cut short; export it again."
    )


def read_tiff(path: Path) -> NDArray[Any]:
    """All planes of a TIFF as one array, memory-mapped where it is uncompressed."""
    try:
        with tifffile.TiffFile(path) as file:
            series = file.series[0] if file.series else None
            if series is None:
                raise SlagsegError(f"{path} holds no image.")
            page = file.pages[0]
            if getattr(page, "photometric", None) == tifffile.PHOTOMETRIC.PALETTE:
                return _squeezed(np.asarray(page.asarray()))
            # several images of one shape and no series of their own are slices
            if (
                len(file.series) > 1
                and all(s.shape == series.shape and s.dtype == series.dtype for s in file.series)
                and len(series.shape) == 2
            ):
                return np.stack([s.asarray() for s in file.series])
            try:
                mapped = tifffile.memmap(path, mode="r", series=0)
                return _squeezed(mapped)
            except ValueError:  # compressed or not contiguous
                return _squeezed(series.asarray())
    except SlagsegError:
        raise
    except (tifffile.TiffFileError, ValueError, OSError, RuntimeError, KeyError, IndexError) as e:
        raise _unreadable(path, e) from e


def _squeezed(data: NDArray[Any]) -> NDArray[Any]:
    """Drop axes of length one in front, down to a volume."""
    while data.ndim > 3 and data.shape[0] == 1:
        data = data[0]
    if data.ndim > 3 and data.shape[-1] not in (3, 4):
        kept = tuple(s for s in data.shape if s != 1)
        if len(kept) == 3:
            data = data.reshape(kept)
    return data


def read_slices(folder: Path) -> NDArray[Any]:
    """A folder of 2-D TIFF slices as a volume, in natural order of the names."""
    files = sorted(
        (p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES and p.name[0] != "."),
        key=natural_order,
    )
    if not files:
        raise SlagsegError(
            f"Folder {folder} holds no TIFF slices ({', '.join(SUFFIXES)}) and is no Zarr store."
        )
    first = read_tiff(files[0])
    if len(files) == 1 and first.ndim == 3:
        return first
    if first.ndim != 2:
        raise SlagsegError(
            f"{files[0]} has the shape {first.shape}; the slices of a stack must be 2-D, grey."
        )
    check_numeric(first.dtype, str(files[0]))
    data = np.empty((len(files), *first.shape), dtype=first.dtype)
    for i, file in enumerate(files):
        plane = read_tiff(file)
        if plane.shape != first.shape or plane.dtype != first.dtype:
            raise SlagsegError(
                f"{file} is {plane.shape} {plane.dtype}, but {files[0].name} is {first.shape} "
                f"{first.dtype}: all slices of a stack must be alike. Move the odd file away."
            )
        data[i] = plane
    return data


def _resolution_um(page: Any, unit: str | None) -> tuple[float, float] | None:
    """Pixel size (y, x) from the resolution tags, where they carry a real unit."""
    tags = page.tags
    if "XResolution" not in tags or "YResolution" not in tags:
        return None
    code = int(tags["ResolutionUnit"].value) if "ResolutionUnit" in tags else 2
    factor = MICROMETRES.get(unit.lower()) if unit else None
    if factor is None:
        # inches are what programs write when they know nothing (72 dpi and the like)
        if code != 3:
            return None
        factor = MICROMETRES["cm"]
    sizes = []
    for name in ("YResolution", "XResolution"):
        value = tags[name].value
        ratio = value[0] / value[1] if isinstance(value, tuple) and value[1] else 0.0
        if ratio <= 0:
            return None
        sizes.append(factor / ratio)
    return sizes[0], sizes[1]


def _ome_size(xml: str) -> VoxelSize | None:
    try:
        root = ElementTree.fromstring(xml)
    except ElementTree.ParseError:
        return None
    for element in root.iter():
        if element.tag.endswith("Pixels"):
            sizes = []
            for axis in "ZYX":
                value = element.get(f"PhysicalSize{axis}")
                unit = element.get(f"PhysicalSize{axis}Unit", "µm")
                if value is None or unit.lower() not in MICROMETRES:
                    return None
                sizes.append(float(value) * MICROMETRES[unit.lower()])
            return (sizes[0], sizes[1], sizes[2]) if min(sizes) > 0 else None
    return None


def tiff_voxel_size(path: Path) -> VoxelSize | None:
    """Voxel size in micrometres from OME or ImageJ metadata; None where none is stated."""
    try:
        with tifffile.TiffFile(path) as file:
            if file.ome_metadata:
                return _ome_size(file.ome_metadata)
            metadata = file.imagej_metadata
            if metadata and metadata.get("spacing") and metadata.get("unit"):
                unit = str(metadata["unit"])
                plane = _resolution_um(file.pages[0], unit)
                factor = MICROMETRES.get(unit.lower())
                if plane is not None and factor is not None:
                    return (float(metadata["spacing"]) * factor, *plane)
    except (tifffile.TiffFileError, ValueError, OSError, KeyError, TypeError) as error:
        raise _unreadable(path, error) from error
    return None


def write_tiff(path: Path, data: NDArray[Any], voxel_size_um: VoxelSize | None) -> None:
    """Write a volume (or a plane) so that Fiji and this package find its voxel size.

    ImageJ's own form where it knows the type (8 and 16 bit, float32), else OME.
    """
    imagej = data.ndim == 3 and data.dtype in (np.uint8, np.uint16, np.float32)
    big = data.nbytes > 3_900_000_000
    options: dict[str, Any] = {"photometric": "minisblack"}
    if voxel_size_um is not None:
        z, y, x = voxel_size_um
        if imagej and not big:
            options["resolution"] = (1 / x, 1 / y)
            options["metadata"] = {"axes": "ZYX", "spacing": z, "unit": "um"}
        else:
            options["metadata"] = {
                "axes": "ZYX"[-data.ndim :],
                **{f"PhysicalSize{a}": s for a, s in zip("ZYX", (z, y, x))},
                **{f"PhysicalSize{a}Unit": "µm" for a in "ZYX"},
            }
    ome = voxel_size_um is not None and not (imagej and not big)
    with atomic_file(path) as temporary:
        tifffile.imwrite(
            temporary,
            data,
            imagej=imagej and not big and voxel_size_um is not None,
            ome=ome,
            bigtiff=big,
            **options,
        )


__all__ = [
    "MICROMETRES",
    "SUFFIXES",
    "natural_order",
    "read_slices",
    "read_tiff",
    "tiff_voxel_size",
    "write_tiff",
]
