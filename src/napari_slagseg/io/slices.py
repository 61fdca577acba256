"""A folder of slices as one volume."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from napari_slagseg.data import SlagsegError
from napari_slagseg.io import tiff
from napari_slagseg.io.guards import READ_FAULTS, check_numeric, unreadable
from napari_slagseg.io.plane_volume import PlaneVolume
from napari_slagseg.io.stored import StoredArray

SUFFIXES = (*tiff.SUFFIXES, ".png", ".bmp")

_DIGITS = re.compile(r"(\d+)")


def natural_order(path: Path) -> list[str | int]:
    """Sort key under which slice_2 comes before slice_10."""
    # text and numbers alternate, so that like is compared with like
    return [int(part) if i % 2 else part.lower() for i, part in enumerate(_DIGITS.split(path.name))]


def slice_files(folder: Path) -> list[Path]:
    """Image files of a folder in natural order of their names, hidden ones left out."""
    files = [
        p
        for p in folder.iterdir()
        if p.suffix.lower() in SUFFIXES and not p.name.startswith(".") and p.is_file()
    ]
    return sorted(files, key=natural_order)


def read_slices(folder: Path) -> StoredArray:
    """Open a folder of 2-D grey slices, or one with a single multi-page TIFF.

    Raises
    ------
    SlagsegError
        If there are none, one differs in shape, type or format, one is in
        colour, or a number is missing from the series; the file is named. Of large
        stacks only the headers are looked at; damage is found when it is read.
    """
    try:
        files = slice_files(folder)
    except OSError as error:
        raise SlagsegError(f"Folder {folder} cannot be read: {error.strerror}.") from error
    if not files:
        raise SlagsegError(
            f"Folder {folder} holds no slices ({', '.join(SUFFIXES)}) and is no Zarr store."
        )
    _refuse_mixture(files)
    _refuse_gaps(files)
    if len(files) == 1 and files[0].suffix.lower() in tiff.SUFFIXES:
        return tiff.read_tiff(files[0])
    first = _read_slice(files[0])
    check_numeric(first.dtype, str(files[0]))
    data = SliceFolder(folder, tuple(f.name for f in files), first)
    data.check_headers()
    data.look_through()
    return StoredArray(data, None, "a folder of slices does not state the distance between them")


class SliceFolder(PlaneVolume):
    """A folder of slices, each of which is read when a box needs it.

    Parameters
    ----------
    folder : path
    names : tuple of str
        Files in order.
    first : (y, x) array
        The first slice, which all others must be like.
    """

    def __init__(self, folder: Path, names: tuple[str, ...], first: NDArray[Any]) -> None:
        self.folder, self.names = folder.absolute(), names
        super().__init__((len(names), *first.shape), first.dtype)

    @property
    def title(self) -> str:
        """Folder in messages."""
        return str(self.folder)

    def _decoded(self, z: int) -> NDArray[Any]:
        plane = _read_slice(self.folder / self.names[z])
        if plane.shape != self.shape[1:] or plane.dtype != self.dtype:
            raise SlagsegError(
                f"{self.folder / self.names[z]} is {plane.shape} {plane.dtype}, but "
                f"{self.names[0]} is {self.shape[1:]} {self.dtype}: all slices of a stack must be "
                "alike. Move the odd file away."
            )
        return plane

    def check_headers(self) -> None:
        """Refuse a slice of another size, or cut short, by the files' headers alone."""
        with ThreadPoolExecutor(max_workers=4) as pool:
            for _ in pool.map(self._check_header, range(len(self.names))):
                pass

    def _check_header(self, z: int) -> None:
        path = self.folder / self.names[z]
        if path.suffix.lower() in tiff.SUFFIXES:
            shape, planes = tiff.plane_header(path)
        else:
            planes = 1
            try:
                with Image.open(path) as image:
                    shape = (image.height, image.width)
                if path.suffix.lower() == ".png":
                    _refuse_cut_png(path)
            except READ_FAULTS as error:
                raise unreadable(path, "an image", error) from error
        if shape != self.shape[1:] or planes != 1:
            self._decoded(z)  # knows in what it differs, and whether that matters


def _refuse_cut_png(path: Path) -> None:
    with path.open("rb") as file:
        file.seek(-12, 2)
        if file.read()[4:8] != b"IEND":
            raise ValueError("it does not end as a PNG does")


def _read_slice(path: Path) -> NDArray[Any]:
    if path.suffix.lower() in tiff.SUFFIXES:
        stored = tiff.read_tiff(path)
        plane, colour = stored.data, stored.colour
        if plane.ndim == 3 and plane.shape[0] == 1:
            plane = plane[0]
    else:
        try:
            with Image.open(path) as image:
                colour = image.mode not in ("1", "L", "I", "F", "I;16", "I;16B")
                plane = np.asarray(image)
        except READ_FAULTS as error:
            raise unreadable(path, "an image", error) from error
    if colour or plane.ndim != 2:
        raise SlagsegError(
            f"{path} has the shape {plane.shape}{' in colour' if colour else ''}; the slices of a "
            "stack must be 2-D and grey."
        )
    return plane


def _refuse_mixture(files: list[Path]) -> None:
    kinds = {("tiff" if f.suffix.lower() in tiff.SUFFIXES else f.suffix.lower()): f for f in files}
    if len(kinds) > 1:
        examples = ", ".join(f.name for f in kinds.values())
        raise SlagsegError(
            f"Folder {files[0].parent} holds images of several formats ({examples}). "
            "Keep only the slices of one stack in it."
        )


def _refuse_gaps(files: list[Path]) -> None:
    """A slice that is missing would shorten every particle it cuts, and nobody would see it."""
    parts = [_DIGITS.split(f.name) for f in files]
    if len(files) < 3 or len({len(p) for p in parts}) > 1:
        return
    varying = [i for i in range(len(parts[0])) if len({p[i] for p in parts}) > 1]
    if len(varying) != 1 or varying[0] % 2 == 0:
        return
    numbers = [int(p[varying[0]]) for p in parts]
    steps = [b - a for a, b in pairwise(numbers)]
    usual = min(steps)
    for step, number, file in zip(steps, numbers, files):
        if step != usual:
            raise SlagsegError(
                f"After {file.name} the slices of {file.parent} jump from number {number} to "
                f"{number + step}, elsewhere by {usual}. Put the missing slices back, or number "
                "the files without a gap if nothing is missing."
            )


__all__ = ["SUFFIXES", "natural_order", "read_slices", "slice_files"]
