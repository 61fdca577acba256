"""MHD, NRRD and NIfTI through SimpleITK, which is an optional extra."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from napari_slagseg.data import SlagsegError, VoxelSize
from napari_slagseg.io.guards import check_memory, unreadable
from napari_slagseg.io.stored import StoredArray, micrometres_per

SUFFIXES = (".mhd", ".mha", ".nrrd", ".nhdr", ".nii", ".nii.gz")

_HEADER_BYTES = 1 << 16


def itk_suffix(path: Path) -> str:
    """Suffix of a file, ``.nii.gz`` as one."""
    return ".nii.gz" if path.name.lower().endswith(".nii.gz") else path.suffix.lower()


def read_itk(path: Path) -> StoredArray:
    """Read a volume; axes are turned to (z, y, x), directions of the axes are not applied.

    Spacings are millimetres, as these formats mean it, unless an NRRD header
    names another unit.

    Raises
    ------
    SlagsegError
        If SimpleITK is not installed, the file is unreadable, or it is no grey
        volume.
    """
    import_error = _missing()
    if import_error is not None:
        raise SlagsegError(
            f"Reading {itk_suffix(path)} files ({path}) needs SimpleITK: "
            "pip install napari-slagseg[formats]. Or export the volume as TIFF."
        ) from import_error
    import SimpleITK

    reader = _reader(path)
    pixels = int(np.prod(reader.GetSize(), dtype=np.int64))
    check_memory(pixels, str(path))
    try:
        image = reader.Execute()
        data = np.asarray(SimpleITK.GetArrayFromImage(image))
    except RuntimeError as error:
        raise unreadable(path, itk_suffix(path)[1:].upper(), error) from error
    colour = image.GetNumberOfComponentsPerPixel() > 1
    size, why = _stated_size(path, reader)
    return StoredArray(data, size, why, colour)


def itk_voxel_size(path: Path) -> tuple[VoxelSize | None, str]:
    """Voxel size a file states, or None and what is missing; reads only the header."""
    if _missing() is not None:
        return None, "SimpleITK is not installed"
    return _stated_size(path, _reader(path))


def _missing() -> ImportError | None:
    try:
        import SimpleITK  # noqa: F401
    except ImportError as error:
        return error
    return None


def _reader(path: Path) -> Any:
    import SimpleITK

    reader = SimpleITK.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        raise unreadable(path, itk_suffix(path)[1:].upper(), error) from error
    return reader


def _stated_size(path: Path, reader: Any) -> tuple[VoxelSize | None, str]:
    spacing = reader.GetSpacing()
    if len(spacing) != 3:
        return None, f"it has {len(spacing)} axes"
    factor = _micrometres(path, reader)
    if factor is None:
        return None, "its header states no spacing, or none in a unit of length"
    # NIfTI keeps spacings as float32, whose eighth digit is rounding
    z, y, x = (float(f"{abs(s) * factor:.7g}") for s in reversed(spacing))
    if min(z, y, x) > 0:
        return (z, y, x), ""
    return None, f"its header states the spacing {spacing}"


def _micrometres(path: Path, reader: Any) -> float | None:
    """Micrometres in the unit of the spacing that ITK returns; None where none is stated.

    ITK fills in 1 where a header has no spacing, so the header itself is asked.
    """
    suffix = itk_suffix(path)
    if suffix.startswith(".nii"):
        # ITK has turned metres and micrometres into millimetres; 0 means unknown
        code = int(reader.GetMetaData("xyzt_units")) if reader.HasMetaDataKey("xyzt_units") else 0
        return 1000.0 if code & 7 else None
    with path.open("rb") as file:
        header = file.read(_HEADER_BYTES)
    if suffix in (".nrrd", ".nhdr"):
        text = re.split(rb"\r?\n\r?\n", header, maxsplit=1)[0].decode("latin-1")
        units = re.search(r'^(?:space )?units:\s*"([^"]*)"', text, re.MULTILINE | re.IGNORECASE)
        if not re.search(r"^(spacings|space directions):", text, re.MULTILINE | re.IGNORECASE):
            return None
        return micrometres_per(units.group(1)) if units else 1000.0
    return 1000.0 if re.search(rb"^Element(Spacing|Size)\s*=", header, re.MULTILINE) else None


__all__ = ["SUFFIXES", "itk_suffix", "itk_voxel_size", "read_itk"]
