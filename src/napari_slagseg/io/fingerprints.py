"""Fingerprints of files: whether the data is still what a result was made from."""

from __future__ import annotations

import hashlib
from pathlib import Path

from napari_slagseg.data import CancelToken, SlagsegError, stop_if_cancelled

_BLOCK = 1 << 22


def fingerprint(path: str | Path, *, cancel: CancelToken | None = None) -> str:
    """SHA-256 of a file, or of a folder's file names, sizes and contents.

    Read in blocks of 4 MiB.

    Parameters
    ----------
    path : path
    cancel : CancelToken, optional

    Returns
    -------
    str
        64 hexadecimal digits.

    Raises
    ------
    SlagsegError
        If the file is missing or cannot be read.
    """
    path = Path(path)
    hashed = hashlib.sha256()
    if path.is_dir():
        files = sorted(p for p in path.rglob("*") if p.is_file())
    elif path.is_file():
        files = [path]
    else:
        raise SlagsegError(f"{path} does not exist.")
    try:
        for file in files:
            if file is not path:
                name = file.relative_to(path).as_posix()
                hashed.update(f"{name}\0{file.stat().st_size}\0".encode())
            with file.open("rb") as stream:
                while block := stream.read(_BLOCK):
                    stop_if_cancelled(cancel)
                    hashed.update(block)
    except OSError as error:
        raise SlagsegError(f"{path} cannot be read: {error.strerror or error}.") from error
    return hashed.hexdigest()


__all__ = ["fingerprint"]
