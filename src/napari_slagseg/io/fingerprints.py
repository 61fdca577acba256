"""Fingerprints of files: whether the data is still what a result was made from."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from napari_slagseg.data import CancelToken, SlagsegError, stop_if_cancelled

_BLOCK = 1 << 22


SAMPLED_BYTES = 2 << 30
"""Of files beyond this size, parts are read."""

_SAMPLES = 256
_TAIL = 1 << 12


def fingerprint(path: str | Path, *, cancel: CancelToken | None = None) -> str:
    """SHA-256 of a file, or of a folder's file names, sizes and contents.

    Read in blocks of 4 MiB. Up to 2 GiB in all, every byte counts. Beyond that it
    would take minutes; then it is made of all names and sizes, of the end of every file
    (a shard of a Zarr store keeps there how long each of its chunks is), and of 256
    blocks at regular distances through the whole. A CT that was exported anew,
    replaced or cut is told from the old one, as its noise differs everywhere, and so
    are changed labels in a compressed store; a few grey values that were painted over
    are not. Such a fingerprint begins with ``sampled-``, so that it says what it is.
    Times of change are left out: a copy is the same data.

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
        whole, before = sum(sizes), 0
        for file, size in zip(files, sizes):
            if file is not path:
                name = file.relative_to(path).as_posix()
                hashed.update(f"{name}\0{size}\0".encode())
            elif whole > SAMPLED_BYTES:
                hashed.update(f"{size}\0".encode())
            with file.open("rb") as stream:
                for start, length in _pieces(size, before, whole):
                    stop_if_cancelled(cancel)
                    stream.seek(start)
                    hashed.update(stream.read(length))
            before += size
    except OSError as error:
        raise SlagsegError(f"{path} cannot be read: {error.strerror or error}.") from error
    return ("sampled-" if whole > SAMPLED_BYTES else "") + hashed.hexdigest()


def _pieces(size: int, before: int, whole: int) -> Iterator[tuple[int, int]]:
    """Where to read in a file, and how much, that so many bytes of others come before."""
    if whole <= SAMPLED_BYTES:
        yield from ((start, _BLOCK) for start in range(0, size, _BLOCK))
        return
    distance = whole // _SAMPLES
    yield from ((start, _BLOCK) for start in range(-before % distance, size, distance))
    yield max(0, size - _TAIL), _TAIL


__all__ = ["fingerprint"]
