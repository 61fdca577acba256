"""CT volumes and label volumes in and out, in every format."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_slagseg.data import SlagsegError, Volume, VoxelSize, checked_voxel_size
from napari_slagseg.io import itk, npy, raw, tiff, zarr_store
from napari_slagseg.io.atomic import atomic_file
from napari_slagseg.io.grey_volume import GreyVolume
from napari_slagseg.io.guards import (
    check_axes,
    check_grey_values,
    check_numeric,
    labels_type,
    usual_type,
)
from napari_slagseg.io.mapped_volume import shared_volume
from napari_slagseg.io.raw import RawLayout
from napari_slagseg.io.slices import read_slices
from napari_slagseg.io.stored import StoredArray

_TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def _kind(path: Path) -> str:
    """Format of a file by its suffix, else by its first bytes."""
    suffix = itk.itk_suffix(path)
    for kind, suffixes in (
        ("tiff", tiff.SUFFIXES),
        ("npy", (".npy",)),
        ("itk", itk.SUFFIXES),
        ("raw", raw.SUFFIXES),
        ("pickle", npy.PICKLE_SUFFIXES),
    ):
        if suffix in suffixes:
            return kind
    try:
        with path.open("rb") as file:
            first = file.read(6)
    except OSError as error:
        raise SlagsegError(f"{path} cannot be read: {error.strerror}.") from error
    if first[:4] in _TIFF_MAGIC:
        return "tiff"
    return "npy" if first == b"\x93NUMPY" else ""


def load(path: Path, layout: RawLayout | None, what: str) -> StoredArray:
    """Array behind any supported path.

    Parameters
    ----------
    path : path
    layout : RawLayout or None
        Of a raw file.
    what : str
        What it is for, in words; also the array meant in a Zarr group of several.
    """
    if layout is None and zarr_store.split_store(path) is not None:
        return zarr_store.read_zarr(path, prefer=what.removeprefix("the "))
    if not path.exists():
        raise SlagsegError(f"{path} does not exist. Check the name of {what}.")
    if path.is_dir():
        if layout is not None:
            raise SlagsegError(f"{path} is a folder, not a raw file.")
        return read_slices(path)
    if layout is not None:
        return raw.read_raw(path, layout)
    kind = _kind(path)
    if kind == "tiff":
        return tiff.read_tiff(path)
    if kind == "npy":
        return npy.read_npy(path)
    if kind == "itk":
        return itk.read_itk(path)
    if kind == "raw":
        raise raw.layout_needed(path)
    if kind == "pickle":
        raise npy.pickle_refused(path)
    raise SlagsegError(_unknown_format(path, what))


def _unknown_format(path: Path, what: str) -> str:
    suffix = path.suffix.lower()
    if suffix == ".zarr":
        return f"{path} is a file; a Zarr store is a folder. Was it unpacked or copied whole?"
    if suffix in (".png", ".bmp", ".jpg", ".jpeg") and "map" not in what:
        return (
            f"{path} is a single image; {what} needs three axes (z, y, x). If it is one slice of "
            "a stack, give the folder of the slices; if it is a mineral map, give it as a map."
        )
    known = (
        "PNG, TIFF, BMP, JPEG, NPY and arrays of a Zarr store"
        if "map" in what
        else "TIFF, a folder of slices, NPY, Zarr, raw, and with the extra 'formats' MHD, NRRD and "
        "NIfTI"
    )
    return f"{path} has an unknown format '{path.suffix}'. Known for {what} are {known}."


def stored_voxel_size(path: str | Path) -> VoxelSize | None:
    """Voxel size (z, y, x) in micrometres that a file states; None where it states none.

    OME-TIFF, ImageJ TIFF (with a unit of length), OME-Zarr, our own Zarr, and
    MHD / NRRD / NIfTI (millimetres by convention). Printing resolutions (dpi)
    are not taken for a voxel size.

    Raises
    ------
    SlagsegError
        If the file is there but cannot be read.
    """
    path = Path(path)
    if zarr_store.split_store(path) is not None:
        return zarr_store.zarr_voxel_size(path)[0]
    if path.is_file():
        kind = _kind(path)
        if kind == "tiff":
            return tiff.tiff_voxel_size(path)[0]
        if kind == "itk":
            return itk.itk_voxel_size(path)[0]
    return None


def read_volume(
    path: str | Path,
    voxel_size_um: float | Sequence[float] | None = None,
    *,
    raw: RawLayout | None = None,
) -> Volume:
    """Read a CT volume.

    Nothing is loaded whole but MHD, NRRD and NIfTI: uncompressed TIFF, NPY and raw
    files are memory-mapped (`numpy.memmap`, or `MappedVolume` where their type has to
    be turned into a usual one), of the others `Volume.data` is read by boxes.
    Integers of 8, 16 and 32 bits and float32 are kept as they are. Volumes of more
    than 2 GiB are looked through for NaNs only in part; reading a box that has
    some raises a SlagsegError.

    Parameters
    ----------
    path : path
        TIFF file, folder of slices, NPY, Zarr or OME-Zarr, raw (with `raw`),
        MHD / NRRD / NIfTI (with SimpleITK).
    voxel_size_um : float, (z, y, x) or None
        Overrides the file's; None takes it from the file.
    raw : RawLayout or None
        Layout of a headerless file.

    Raises
    ------
    SlagsegError
        If the file is missing, unreadable, in colour, not 3-D, empty, constant,
        holds NaNs or objects, or no voxel size is known.
    """
    path = Path(path)
    given = None
    if voxel_size_um is not None:
        single = isinstance(voxel_size_um, (int, float, np.integer, np.floating))
        given = checked_voxel_size(
            float(voxel_size_um) if single else tuple(voxel_size_um),  # type: ignore[arg-type]
            f"The voxel size given for {path}",
        )
    stored = load(path, raw, "the CT volume")
    name = str(path)
    check_numeric(stored.data.dtype, name)
    check_axes(stored.data.shape, name, colour=stored.colour)
    size = given or stored.voxel_size_um
    if size is None:
        raise SlagsegError(
            f"{path} does not state its voxel size ({stored.why_no_size}). Give it in micrometres, "
            "as one number (2.3) or three (z, y, x); it is in the scanner's protocol."
        )
    whole = check_grey_values(stored.data, name)
    grey = stored.converted(usual_type(stored.data, name)).data
    if not whole and not isinstance(grey, GreyVolume):
        grey = GreyVolume(shared_volume(grey), grey.dtype.str)
    return Volume(grey, size, path.name, name)


def read_labels(path: str | Path, *, what: str = "labels") -> NDArray[Any]:
    """Read integer labels or phases (2-D or 3-D) from TIFF, NPY or Zarr.

    Parameters
    ----------
    path : path
        May point at an array inside a store (``OUT.zarr/particles``).
    what : str
        What they are, for messages. Of a Zarr group with several arrays, the
        one of this name is read.

    Returns
    -------
    array
        As stored; booleans as uint8, whole floats as int64. May be a read-only
        memory map.

    Raises
    ------
    SlagsegError
        If the file is missing or unreadable, or holds objects or fractions.
    """
    # a memory map stays one
    return np.asanyarray(open_labels(path, what=what))


def open_labels(path: str | Path, *, what: str = "labels") -> Any:
    """Integer labels or phases as `read_labels`, but left on disk where the format allows it.

    Returns
    -------
    VolumeLike
        Read by boxes.

    Raises
    ------
    SlagsegError
        As `read_labels`.
    """
    path = Path(path)
    stored = load(path, None, f"the {what}")
    if stored.colour:
        raise SlagsegError(
            f"{path} is in colour {stored.data.shape}; {what} are one whole number a voxel."
        )
    data = stored.data
    if data.ndim not in (2, 3) or data.size == 0:
        raise SlagsegError(
            f"{path} has the shape {data.shape}; {what} need two or three axes, none empty."
        )
    return stored.converted(labels_type(data, str(path))).data


def write_volume(
    path: str | Path,
    array: NDArray[Any],
    voxel_size_um: float | VoxelSize | None,
    *,
    compress: bool = False,
) -> None:
    """Write a volume by the suffix of `path`, atomically.

    Parameters
    ----------
    path : path
        ``.tif`` (ImageJ's form or OME), ``.npy`` (keeps no voxel size) or
        ``.zarr`` (OME-Zarr 0.5).
    array : (z, y, x) array
        Particle labels are uint32.
    voxel_size_um : float, (z, y, x) or None
    compress : bool
        Worth it for labels; what is compressed is not memory-mapped.

    Raises
    ------
    SlagsegError
        If the suffix is another, the array holds no numbers or has other axes,
        or the place cannot be written to.
    """
    path = Path(path)
    size = None if voxel_size_um is None else checked_voxel_size(voxel_size_um)
    array = np.asarray(array)
    check_numeric(array.dtype, f"The array for {path}")
    if array.ndim not in (2, 3) or array.size == 0:
        raise SlagsegError(
            f"An array of shape {array.shape} cannot be written to {path}; it needs two or three "
            "axes, none empty."
        )
    if array.dtype.kind == "b":
        array = array.astype(np.uint8)
    suffix = path.suffix.lower()
    if suffix in tiff.SUFFIXES:
        tiff.write_tiff(path, array, size, compress=compress)
    elif suffix == ".npy":
        with atomic_file(path) as temporary:
            np.save(temporary, array, allow_pickle=False)
    elif suffix == ".zarr":
        zarr_store.write_ome_zarr(path, array, size, compress=compress)
    else:
        raise SlagsegError(f"{path} cannot be written: use the ending .tif, .npy or .zarr.")


__all__ = ["load", "open_labels", "read_labels", "read_volume", "stored_voxel_size", "write_volume"]
