"""Writing so that a file is whole or not there at all."""

from __future__ import annotations

import errno
import hashlib
import json
import math
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from napari_slagseg.data import SlagsegError

_BLOCK = 1 << 22


def write_error(path: Path, error: OSError) -> SlagsegError:
    """Explain a failed write in a user's words; the older file is untouched."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        where = path.parent
        while not where.exists() and where != where.parent:
            where = where.parent
        free = shutil.disk_usage(where).free / 1e6
        return SlagsegError(
            f"{path} could not be written: the disk is full ({free:,.0f} MB free). "
            "What was there before is untouched. Free some space and run the step again."
        )
    return SlagsegError(
        f"{path} could not be written: {error.strerror or error}. "
        "What was there before is untouched. Check the folder and its permissions."
    )


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def atomic_file(path: str | Path) -> Iterator[Path]:
    """Give a temporary sibling to write to; it takes the place of `path` at the end.

    If the block fails, the sibling is removed and `path` is as it was.

    Raises
    ------
    SlagsegError
        If the disk is full or the place cannot be written to.
    """
    path = Path(path)
    # the suffix stays last: writers choose the format by it
    temporary = path.with_name(f".{path.stem}-{uuid.uuid4().hex[:8]}{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise write_error(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: str | Path) -> Iterator[Path]:
    """Give an empty temporary folder to fill; it takes the place of `path` at the end.

    An older folder is moved aside first and removed only when the new one is in
    place; if the process dies between the two renames, `recover_folder` (called
    by every reader) brings the older one back.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}-{uuid.uuid4().hex[:8]}")
    older = path.with_name(f".{path.name}.older")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        recover_folder(path)
        temporary.mkdir()
        yield temporary
        if path.exists():
            path.rename(older)
        temporary.rename(path)
        _sync_folder(path.parent)
        shutil.rmtree(older, ignore_errors=True)
    except OSError as error:
        recover_folder(path)
        raise write_error(path, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def recover_folder(path: Path) -> None:
    """Bring back a folder whose replacement was cut off between its two renames."""
    older = path.with_name(f".{path.name}.older")
    if older.exists():
        if path.exists():
            shutil.rmtree(older, ignore_errors=True)
        else:
            older.rename(path)


def write_text(path: str | Path, text: str) -> None:
    """Write a UTF-8 text file atomically."""
    with atomic_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _plain(value: Any) -> Any:
    """JSON values from numpy and non-finite ones; a number that is not one becomes null."""
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Path):
        return str(value)
    return value


def to_json(value: Any) -> str:
    """Strict JSON text (NaN and infinities become null), indented."""
    return json.dumps(_plain(value), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def write_json(path: str | Path, value: Any) -> None:
    """Write strict JSON atomically; numpy values are taken, NaN becomes null."""
    write_text(path, to_json(value))


def read_json(path: str | Path, what: str = "the file") -> Any:
    """Read a JSON file, or say what is wrong with it and where."""
    path = Path(path)
    text = read_text(path, what)
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise SlagsegError(
            f"{path} ({what}) is not valid JSON: {error.msg} in line {error.lineno}."
        ) from error


def read_text(path: str | Path, what: str = "the file") -> str:
    """Read a UTF-8 text file (with or without a byte-order mark)."""
    path = Path(path)
    require_file(path, what)
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise SlagsegError(
            f"{path} ({what}) is not a text file in UTF-8. Save it again as 'CSV UTF-8' or JSON."
        ) from error
    except OSError as error:
        raise SlagsegError(f"{path} ({what}) cannot be read: {error.strerror}.") from error


def require_file(path: Path, what: str) -> None:
    """Raise a clear error where `path` is no file."""
    if path.is_dir():
        raise SlagsegError(f"{path} is a folder; {what} must be a file.")
    if not path.is_file():
        raise SlagsegError(f"{path} does not exist. Check the name of {what}.")


def fingerprint(path: str | Path) -> str:
    """SHA-256 of a file, or of a folder's file names and contents; read in blocks of 4 MiB."""
    path = Path(path)
    hashed = hashlib.sha256()
    if path.is_dir():
        files = sorted(p for p in path.rglob("*") if p.is_file())
    elif path.is_file():
        files = [path]
    else:
        raise SlagsegError(f"{path} does not exist.")
    for file in files:
        if path.is_dir():
            hashed.update(f"{file.relative_to(path).as_posix()}\0".encode())
        with file.open("rb") as stream:
            while block := stream.read(_BLOCK):
                hashed.update(block)
    return hashed.hexdigest()


__all__ = [
    "atomic_file",
    "atomic_folder",
    "fingerprint",
    "read_json",
    "read_text",
    "recover_folder",
    "require_file",
    "to_json",
    "write_error",
    "write_json",
    "write_text",
]
