"""TIFF in all the forms in which CT volumes come: plain, BigTIFF, ImageJ and OME."""

from __future__ import annotations

import logging
import math
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import tifffile
from numpy.typing import NDArray

from napari_slagseg.data import SlagsegError, VoxelSize
from napari_slagseg.io.atomic import atomic_file
from napari_slagseg.io.guards import READ_FAULTS, check_memory, unreadable
from napari_slagseg.io.plane_volume import PlaneVolume
from napari_slagseg.io.stored import StoredArray, micrometres_per

SUFFIXES = (".tif", ".tiff", ".btf", ".tf2", ".tf8")

_LARGEST_PLAIN = 3_900_000_000
"""Bytes up to which 32-bit offsets, and ImageJ's own form, are safe."""

_BROKEN = ("invalid page offset", "corrupted file", "missing data")

_NOT_ONE = {"C": "channels", "T": "time points", "R": "tiles", "P": "positions"}


def read_tiff(path: Path, *, apply_palette: bool = False) -> StoredArray:
    """Open a TIFF: mapped where it lies in one uncompressed piece, else plane by plane.

    The voxel size is taken from ImageJ's metadata (unit, resolution, slice
    spacing) or OME's (`PhysicalSizeZ`, `Y`, `X`). TIFF's plain resolution tags
    are not taken: they know no slice spacing, and most programs fill them with
    72 dpi or with 1 and mean nothing by it.

    Parameters
    ----------
    path : path
    apply_palette : bool
        Look indexed colours up, so that they come back as RGB. Otherwise their
        indices are the values.

    Raises
    ------
    SlagsegError
        If it cannot be read, or holds several images or channels.
    """
    try:
        with _complaints() as complaints, tifffile.TiffFile(path) as file:
            stored = _read_open(file, path, apply_palette)
        if complaints:
            raise unreadable(path, "TIFF", ValueError(complaints[0]))
        return stored
    except SlagsegError:
        raise
    except READ_FAULTS as error:
        raise unreadable(path, "TIFF", error) from error


def tiff_voxel_size(path: Path) -> tuple[VoxelSize | None, str]:
    """Voxel size in the metadata of a TIFF, or None and what is missing; reads no image."""
    try:
        with tifffile.TiffFile(path) as file:
            return _stated_size(file)
    except READ_FAULTS as error:
        raise unreadable(path, "TIFF", error) from error


@contextmanager
def _complaints() -> Iterator[list[str]]:
    """Collect what tifffile says of broken files: it logs that pages are lost, and goes on."""
    found: list[str] = []
    thread = threading.get_ident()

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            text = record.getMessage()
            if record.thread == thread and any(sign in text for sign in _BROKEN):
                found.append(text)

    log, listener = logging.getLogger("tifffile"), Listener()
    log.addHandler(listener)
    try:
        yield found
    finally:
        log.removeHandler(listener)


def _read_open(file: tifffile.TiffFile, path: Path, apply_palette: bool) -> StoredArray:
    # thumbnails come as further series of reduced pages
    images = [s for s in file.series if not s.keyframe.is_reduced] or list(file.series)
    if not images:
        raise SlagsegError(f"{path} holds no image.")
    if len(images) > 1:
        shapes = ", ".join(f"{s.shape} {s.dtype}" for s in images[:4])
        raise SlagsegError(
            f"{path} holds {len(images)} images that do not form one volume: {shapes}. "
            "Save the one that is meant on its own."
        )
    image = images[0]
    keep = [i for i, (a, n) in enumerate(zip(image.axes, image.shape)) if a in "ZYXS" or n != 1]
    axes = "".join(image.axes[i] for i in keep)
    shape = tuple(image.shape[i] for i in keep)
    _refuse_channels(path, axes, shape)
    # planes of one grey value a voxel may stay on disk
    planes = (
        len(shape) == 3
        and "S" not in axes
        and len(image.pages) == shape[0] > 1
        and tuple(image.keyframe.shape) == shape[1:]
    )
    data = _pixels(file, image, path, planes)
    if not isinstance(data, TiffPlanes):
        data = data.reshape(shape)
    colour = "S" in axes
    if colour:
        data = np.moveaxis(data, axes.index("S"), -1)
    table = image.keyframe.colormap
    if apply_palette and table is not None and not colour:
        # the palette has 16 bits a channel: the high byte is the colour
        data, colour = (np.asarray(table) >> 8).astype(np.uint8).T[np.asarray(data)], True
    size, why = _stated_size(file)
    return StoredArray(data, size, why, colour)


def _refuse_channels(path: Path, axes: str, shape: tuple[int, ...]) -> None:
    for axis, n in zip(axes, shape):
        # an unnamed or time axis alone is how many programs store the slices of a stack
        if axis in _NOT_ONE and (axis == "C" or len(axes.replace("S", "")) > 3):
            raise SlagsegError(
                f"{path} has {n} {_NOT_ONE[axis]} (axes {axes}, shape {shape}); one grey value a "
                "voxel is needed. Save one of them on its own; if they are the slices of a stack, "
                "mark them as such (in ImageJ: Image > Properties)."
            )


def _pixels(file: tifffile.TiffFile, image: Any, path: Path, planes: bool) -> Any:
    offset = image.dataoffset
    if offset is not None and image.keyframe.is_memmappable:
        dtype = image.dtype.newbyteorder(file.byteorder)
        needed = offset + math.prod(image.shape) * dtype.itemsize
        size = path.stat().st_size
        if needed > size:
            raise SlagsegError(
                f"{path} is cut short: its image {image.shape} {image.dtype} needs {needed:,} "
                f"bytes and the file has {size:,}. Copy or export it again."
            )
        if math.prod(image.shape):
            return np.memmap(path, dtype=dtype, mode="r", offset=offset, shape=image.shape)
    if planes:
        return _planes(file, image, path)
    check_memory(image.nbytes, str(path))
    return np.asarray(image.asarray()).reshape(image.shape)


def _planes(file: tifffile.TiffFile, image: Any, path: Path) -> TiffPlanes:
    for page in image.pages:
        if page is None:  # OME may leave out planes
            continue
        source = Path(page.parent.filehandle.path)
        size = source.stat().st_size
        ends = [o + n for o, n in zip(page.dataoffsets, page.databytecounts)]
        if ends and max(ends) > size:
            raise SlagsegError(
                f"{source} is cut short: its plane {page.index} ends at byte {max(ends):,} and the "
                f"file has {size:,}. Copy or export it again."
            )
    data = TiffPlanes(path, file.series.index(image), image)
    data.look_through()
    return data


class TiffPlanes(PlaneVolume):
    """A compressed or tiled TIFF, each plane of which is decoded when a box needs it.

    Parameters
    ----------
    path : path
    series : int
        Which of the file's images.
    image : tifffile.TiffPageSeries
    """

    def __init__(self, path: Path, series: int, image: Any) -> None:
        self.path, self.series = path.absolute(), series
        super().__init__((len(image.pages), *image.keyframe.shape), image.dtype.newbyteorder("="))

    def _begin(self) -> None:
        super()._begin()
        self._file: tifffile.TiffFile | None = None
        self._reading = threading.Lock()

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        return {k: v for k, v in state.items() if k not in ("_file", "_reading")}

    @property
    def title(self) -> str:
        """File in messages."""
        return str(self.path)

    def _decoded(self, z: int) -> NDArray[Any]:
        try:
            with self._reading, _complaints() as complaints:
                if self._file is None:
                    self._file = tifffile.TiffFile(self.path)
                    weakref.finalize(self, self._file.close)
                page = self._file.series[self.series].pages[z]
                plane = np.zeros(self.shape[1:], self.dtype) if page is None else page.asarray()
            if complaints:
                raise ValueError(complaints[0])
            return np.asarray(plane).reshape(self.shape[1:]).astype(self.dtype, copy=False)
        except READ_FAULTS as error:
            raise unreadable(self.path, f"TIFF in its plane {z}", error) from error


def plane_header(path: Path) -> tuple[tuple[int, ...], int]:
    """Shape of the planes of a TIFF, and how many; refuses a file that is cut short."""
    try:
        with tifffile.TiffFile(path) as file:
            page = file.pages.first
            size = path.stat().st_size
            if any(o + n > size for o, n in zip(page.dataoffsets, page.databytecounts)):
                raise ValueError("it is cut short")
            return tuple(page.shape), len(file.pages)
    except READ_FAULTS as error:
        raise unreadable(path, "TIFF", error) from error


def _stated_size(file: tifffile.TiffFile) -> tuple[VoxelSize | None, str]:
    if file.is_ome and file.ome_metadata:
        return _ome_size(file.ome_metadata)
    if file.is_imagej and file.imagej_metadata:
        return _imagej_size(file)
    return None, "a plain TIFF states none"


def _ome_size(xml: str) -> tuple[VoxelSize | None, str]:
    why = "its OME metadata lack PhysicalSizeZ, PhysicalSizeY or PhysicalSizeX"
    try:
        root = ElementTree.fromstring(xml)
    except ElementTree.ParseError:
        return None, "its OME metadata are no valid XML"
    pixels = next((e for e in root.iter() if e.tag.rpartition("}")[2] == "Pixels"), None)
    if pixels is None:
        return None, why
    sizes = []
    for axis in "ZYX":
        # one section has no spacing to state
        named = "X" if axis == "Z" and pixels.get("SizeZ") == "1" else axis
        length = pixels.get(f"PhysicalSize{axis}", pixels.get(f"PhysicalSize{named}"))
        unit = pixels.get(f"PhysicalSize{axis}Unit", pixels.get(f"PhysicalSize{named}Unit", "um"))
        factor = micrometres_per(unit)
        if length is None or factor is None:
            return None, why
        sizes.append(float(length) * factor)
    return _checked(sizes)


def _imagej_size(file: tifffile.TiffFile) -> tuple[VoxelSize | None, str]:
    metadata: dict[str, Any] = file.imagej_metadata or {}
    factor = micrometres_per(metadata.get("unit"))
    if factor is None:
        return None, "its ImageJ metadata name no unit of length"
    lengths = []
    for name in ("YResolution", "XResolution"):
        tag = file.pages.first.tags.get(name)
        numerator, denominator = tag.value if tag is not None else (0, 0)
        if not (numerator and denominator):
            return None, "its ImageJ metadata name a unit but no resolution"
        lengths.append(denominator / numerator * factor)
    spacing = metadata.get("spacing")
    if spacing is None:
        # ImageJ leaves out a spacing of 1, and so do programs that know none
        unit_pixels = all(math.isclose(length, factor, rel_tol=1e-6) for length in lengths)
        if not unit_pixels and int(metadata.get("images", 1)) > 1:
            return None, "its ImageJ metadata state the pixel size but no slice spacing"
        spacing = lengths[1] / factor
    return _checked([float(spacing) * factor, *lengths])


def _checked(sizes: list[float]) -> tuple[VoxelSize | None, str]:
    # a resolution is a ratio of two 32-bit integers: its tenth digit is rounding
    z, y, x = (float(f"{abs(size):.9g}") for size in sizes)
    if all(math.isfinite(size) and size > 0 for size in (z, y, x)):
        return (z, y, x), ""
    return None, f"its metadata state {sizes} um, which is no size"


def write_tiff(
    path: str | Path,
    data: NDArray[Any],
    voxel_size_um: VoxelSize | None,
    *,
    compress: bool = False,
) -> None:
    """Write a volume (or a plane) so that Fiji and this package find its voxel size.

    ImageJ's own form where it knows the type (8 and 16 bit, float32; up to
    4 GB), else OME-TIFF, which Fiji opens through Bio-Formats; BigTIFF where
    needed.

    Parameters
    ----------
    path : path
    data : (z, y, x) or (row, column) array
    voxel_size_um : (z, y, x) or None
        None is stored as unknown.
    compress : bool
        With zlib: small for labels, but not memory-mapped any more.
    """
    big = data.nbytes > _LARGEST_PLAIN
    imagej = data.dtype in (np.uint8, np.uint16, np.float32) and not big
    metadata: dict[str, Any] = {"axes": "ZYX"[-data.ndim :]}
    options: dict[str, Any] = {"photometric": "minisblack", "metadata": metadata}
    if compress:
        options |= {"compression": "zlib"}
    if voxel_size_um is not None:
        z, y, x = voxel_size_um
        if imagej:
            options["resolution"] = (1 / x, 1 / y)
            metadata |= {"spacing": z, "unit": "um"}
        else:
            for axis, size in zip("ZYX", voxel_size_um):
                metadata |= {f"PhysicalSize{axis}": size, f"PhysicalSize{axis}Unit": "µm"}
    with atomic_file(path) as temporary:
        tifffile.imwrite(temporary, data, imagej=imagej, ome=not imagej, bigtiff=big, **options)


__all__ = ["SUFFIXES", "read_tiff", "tiff_voxel_size", "write_tiff"]
