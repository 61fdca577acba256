"""Fingerprints of files: whether the data is still what a result was made from."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from napari_slagseg.data import CancelToken, SlagsegError, stop_if_cancelled

_BLOCK = 1 << 22


SAMPLED_BYTES = 2 << 30
"""Of files beyond this size, parts are read."""

_SAMPLES = 256


def fingerprint(path: str | Path, *, cancel: CancelToken | None = None) -> str:
    """SHA-256 of a file, or of a folder's file names, sizes and contents.

    Read in blocks of 4 MiB. Up to 2 GiB in all, every byte counts. Beyond that it
    would take minutes; then it is made of all names and sizes, of the first and last
    block of every file, and of 256 blocks at regular distances through the whole. A file
    that was exported anew, replaced or cut is told from the old one, as its noise
    differs everywhere; a few voxels that were painted over are not. Such a
    fingerprint begins with ``sampled-``, so that it says what it is.

    Parameters
    ----------
    path : path
    cancel : CancelToken, optional

    Returns
    -------
    str
        64 hexadecimal digits, behind ``sampled-`` for what is large.

    Raises
    ------
    SlagsegError
        If the file is missing or cannot be read.
    """
    path = Path(path)
    if path.is_dir():
        files = sorted(p for p in path.rglob("*") if p.is_file())
    elif path.is_file():
        files = [path]
    else:
        raise SlagsegError(f"{path} does not exist.")
    hashed = hashlib.sha256()
    try:
        sizes = [file.stat().st_size for file in files]
        sampled = sum(sizes) > SAMPLED_BYTES
        distance = max(_BLOCK, sum(sizes) // _SAMPLES)
        before = 0
        for file, size in zip(files, sizes):
            if file is not path or sampled:
                name = file.relative_to(path).as_posix() if file is not path else ""
                hashed.update(f"{name}\0{size}\0".encode())
            with file.open("rb") as stream:
                for start in _starts(size, before, distance if sampled else _BLOCK):
                    stop_if_cancelled(cancel)
                    stream.seek(start)
                    hashed.update(stream.read(_BLOCK))
            before += size
    except OSError as error:
        raise SlagsegError(f"{path} cannot be read: {error.strerror or error}.") from error
    return ("sampled-" if sampled else "") + hashed.hexdigest()


def _starts(size: int, before: int, distance: int) -> Iterable[int]:
    """Where to read in a file that so many bytes of others come before."""
    if distance == _BLOCK:
        return range(0, size, _BLOCK)
    return sorted({0, max(0, size - _BLOCK), *range(-before % distance, size, distance)})


__all__ = ["fingerprint"]
