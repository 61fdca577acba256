"""CT volumes and label volumes in, in every format."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from napari_slagseg.data import SlagsegError, Volume, VoxelSize, checked_voxel_size
from napari_slagseg.io import tiff, zarr_store
from napari_slagseg.io.atomic import atomic_file
from napari_slagseg.io.guards import check_axes, check_grey_values, check_labels, check_numeric

ITK_SUFFIXES = (".mhd", ".mha", ".nrrd", ".nhdr", ".nii", ".nii.gz")
RAW_SUFFIXES = (".raw", ".bin", ".dat", ".vol")


@dataclass(frozen=True)
class RawLayout:
    """Layout of a headerless file.

    Attributes
    ----------
    shape : (z, y, x)
    dtype : str
        numpy's name of the type ("uint8", "uint16", "float32").
    offset : int
        Bytes before the first voxel.
    byte_order : {"little", "big"}
    """

    shape: tuple[int, int, int]
    dtype: str
    offset: int = 0
    byte_order: Literal["little", "big"] = "little"

    def numpy_dtype(self) -> np.dtype[Any]:
        """As a numpy dtype, or a clear error."""
        try:
            dtype = np.dtype(self.dtype)
        except TypeError as error:
            raise SlagsegError(
                f"'{self.dtype}' is no type of voxel. Use uint8, uint16, int16, uint32 or float32."
            ) from error
        check_numeric(dtype, "The raw file")
        return dtype.newbyteorder("<" if self.byte_order == "little" else ">")


def _suffix(path: Path) -> str:
    name = path.name.lower()
    return ".nii.gz" if name.endswith(".nii.gz") else path.suffix.lower()


def _read_raw(path: Path, layout: RawLayout) -> NDArray[Any]:
    dtype = layout.numpy_dtype()
    shape = tuple(int(n) for n in layout.shape)
    if len(shape) != 3 or min(shape) < 1:
        raise SlagsegError(f"The raw shape {layout.shape} must be three numbers (z, y, x) above 0.")
    needed = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize + layout.offset
    size = path.stat().st_size
    if needed != size:
        raise SlagsegError(
            f"{path} has {size:,} bytes, but {shape} voxels of {dtype.name} with an offset of "
            f"{layout.offset} need {needed:,}. Check shape, type and offset."
        )
    return np.memmap(path, dtype=dtype, mode="r", offset=layout.offset, shape=shape)


def _read_npy(path: Path) -> NDArray[Any]:
    try:
        return np.lib.format.open_memmap(path, mode="r")
    except ValueError as error:
        if "object" in str(error).lower() or "pickle" in str(error).lower():
            raise SlagsegError(
                f"{path} holds Python objects (a pickle). Such files can carry code and are "
                "never opened. Save a plain array of numbers: np.save(name, array)."
            ) from error
        raise SlagsegError(
            f"{path} is not a NumPy array file, or is damaged ({error}). If it was made with "
            "pickle or torch, save a plain array instead: np.save(name, array)."
        ) from error
    except (OSError, EOFError) as error:
        raise SlagsegError(f"{path} cannot be read: {error}.") from error


def _itk_reader(path: Path) -> Any:
    try:
        import SimpleITK
    except ImportError as error:
        raise SlagsegError(
            f"Reading {path.suffix} files ({path.name}) needs SimpleITK: "
            "pip install 'napari-slagseg[formats]'. Or export the volume as TIFF."
        ) from error
    reader = SimpleITK.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        raise SlagsegError(f"{path} cannot be read; it may be damaged or incomplete.") from error
    if reader.GetDimension() != 3 or reader.GetNumberOfComponents() != 1:
        raise SlagsegError(
            f"{path} is {reader.GetDimension()}-D with {reader.GetNumberOfComponents()} values a "
            "voxel; a CT volume needs three axes (z, y, x) and one grey value a voxel."
        )
    return reader


def _read_itk(path: Path) -> NDArray[Any]:
    import SimpleITK

    reader = _itk_reader(path)
    try:
        return np.asarray(SimpleITK.GetArrayFromImage(reader.Execute()))
    except RuntimeError as error:
        raise SlagsegError(f"{path} cannot be read; it may be damaged or cut short.") from error


def _itk_voxel_size(path: Path) -> VoxelSize | None:
    # these formats state millimetres by convention; a spacing of exactly 1 is what
    # programs write that know none
    x, y, z = _itk_reader(path).GetSpacing()
    if (x, y, z) == (1.0, 1.0, 1.0):
        return None
    return (z * 1000, y * 1000, x * 1000)


def _load(path: Path, raw: RawLayout | None, what: str) -> NDArray[Any]:
    """Array behind any supported path."""
    if raw is not None:
        if not path.is_file():
            raise SlagsegError(f"{path} does not exist. Check the name of {what}.")
        return _read_raw(path, raw)
    if zarr_store.split_store(path) is not None:
        return zarr_store.read_ome_zarr(path)[0]
    if not path.exists():
        raise SlagsegError(f"{path} does not exist. Check the name of {what}.")
    if path.is_dir():
        return tiff.read_slices(path)
    suffix = _suffix(path)
    if suffix in tiff.SUFFIXES:
        return tiff.read_tiff(path)
    if suffix == ".npy":
        return _read_npy(path)
    if suffix in ITK_SUFFIXES:
        return _read_itk(path)
    if suffix in RAW_SUFFIXES:
        raise SlagsegError(
            f"{path} is a raw file without a header. Give its shape (z, y, x) and type, "
            "for example --raw-shape 100,200,200 --raw-dtype uint8."
        )
    if suffix in (".npz", ".pkl", ".pickle", ".pt", ".pth"):
        raise SlagsegError(
            f"{path} may hold Python objects (a pickle), which can carry code; such files are "
            "never opened. Save a plain array as .npy or TIFF."
        )
    raise SlagsegError(
        f"{path} has an unknown format '{suffix}'. Known are TIFF, a folder of TIFF slices, NPY, "
        "Zarr, raw, and with the extra 'formats' MHD, NRRD and NIfTI."
    )


def stored_voxel_size(path: str | Path) -> VoxelSize | None:
    """Voxel size (z, y, x) in micrometres that a file states; None where it states none.

    OME-TIFF, ImageJ TIFF (with a unit of length), OME-Zarr, our own Zarr, and
    MHD / NRRD / NIfTI (millimetres by convention). Printing resolutions (dpi)
    are not taken for a voxel size.
    """
    path = Path(path)
    if zarr_store.split_store(path) is not None:
        return zarr_store.read_ome_zarr_size(path)
    if path.is_file() and _suffix(path) in tiff.SUFFIXES:
        return tiff.tiff_voxel_size(path)
    if path.is_file() and _suffix(path) in ITK_SUFFIXES:
        return _itk_voxel_size(path)
    return None


def read_volume(
    path: str | Path,
    voxel_size_um: float | Sequence[float] | None = None,
    *,
    raw: RawLayout | None = None,
) -> Volume:
    """Read a CT volume.

    Uncompressed TIFF, NPY and raw files are memory-mapped; others are read.

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
        plain = voxel_size_um if isinstance(voxel_size_um, (int, float)) else tuple(voxel_size_um)
        given = checked_voxel_size(plain)
    data = _load(path, raw, "the CT volume")
    check_numeric(data.dtype, str(path))
    check_axes(data.shape, str(path))
    size = given or (None if raw is not None else stored_voxel_size(path))
    if size is None:
        raise SlagsegError(
            f"{path} does not state its voxel size. Give it in micrometres (--voxel-size 2.3, or "
            "three numbers z,y,x); it is in the scanner's protocol."
        )
    check_grey_values(data, str(path))
    if not data.dtype.isnative:
        data = data.astype(data.dtype.newbyteorder("="))
    return Volume(data, checked_voxel_size(size, f"The voxel size of {path}"), path.name, str(path))


def read_labels(path: str | Path, *, what: str = "labels") -> NDArray[Any]:
    """Read integer labels or phases (2-D or 3-D) from TIFF, NPY or Zarr.

    A path may point at an array inside a store (``OUT.zarr/particles``).

    Raises
    ------
    SlagsegError
        If the file is missing or unreadable, or holds objects or fractions.
    """
    path = Path(path)
    data = _load(path, None, f"the {what}")
    if data.ndim not in (2, 3) or data.size == 0:
        raise SlagsegError(
            f"{path} has the shape {data.shape}; {what} need two or three axes, none empty."
        )
    return check_labels(data, str(path))


def write_volume(path: str | Path, data: NDArray[Any], voxel_size_um: VoxelSize | None) -> None:
    """Write a volume by the suffix of `path`: .tif, .npy or .zarr; atomically."""
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix in tiff.SUFFIXES:
        tiff.write_tiff(path, data, voxel_size_um)
    elif suffix == ".npy":
        with atomic_file(path) as temporary:
            np.save(temporary, data, allow_pickle=False)
    elif suffix == ".zarr":
        zarr_store.write_zarr_arrays(path, {"volume": data}, voxel_size_um)
    else:
        raise SlagsegError(f"{path} cannot be written: use the ending .tif, .npy or .zarr.")


__all__ = ["RawLayout", "read_labels", "read_volume", "stored_voxel_size", "write_volume"]
