"""Writing so that a file is whole or not there at all."""

from __future__ import annotations

import errno
import os
import re
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from napari_slagseg.data import SlagsegError

_LEFTOVER = re.compile(r"\..*-slagseg-[0-9a-f]{8}(\..*)?")


def write_error(path: Path, error: OSError) -> SlagsegError:
    """Explain a failed write in a user's words; the older file is untouched."""
    kept = "What was there before is untouched. " if os.path.lexists(path) else ""
    # numpy says how much of an array it wrote, and drops the reason
    cut_short = error.errno is None and "requested and" in str(error)
    if cut_short or error.errno in (errno.ENOSPC, errno.EDQUOT):
        return SlagsegError(
            f"{path} could not be written: the disk is full ({_free_space(path)} free). "
            f"{kept}Free some space and run the step again."
        )
    if error.errno == errno.EFBIG:
        return SlagsegError(
            f"{path} could not be written: it would be larger than a file may be there "
            f"({_free_space(path)} free on the disk). {kept}Write to another place."
        )
    return SlagsegError(
        f"{path} could not be written: {error.strerror or error}. "
        f"{kept}Check the folder and its permissions."
    )


def _free_space(path: Path) -> str:
    for folder in path.absolute().parents:
        with suppress(OSError):
            return f"{shutil.disk_usage(folder).free / 1e6:,.1f} MB"
    return "an unknown amount"


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
    temporary = path.with_name(f".{path.stem}-slagseg-{uuid.uuid4().hex[:8]}{path.suffix}")
    try:
        _make_folder(path.parent)
        yield temporary
        _sync(temporary)
        temporary.replace(path)
        _sync(path.parent)
    except OSError as error:
        raise write_error(path, error) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: str | Path) -> Iterator[Path]:
    """Give an empty temporary folder to fill; it takes the place of `path` at the end.

    An older folder is moved aside first and removed only when the new one is in
    place; if the process dies between the two renames, `recover_folder` (called
    by every reader) brings the older one back.

    Raises
    ------
    SlagsegError
        If the disk is full or the place cannot be written to.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}-slagseg-{uuid.uuid4().hex[:8]}")
    try:
        _make_folder(path.parent)
        recover_folder(path)
        temporary.mkdir()
        yield temporary
        replace_folder(temporary, path)
    except OSError as error:
        recover_folder(path)
        raise write_error(path, error) from error
    finally:
        _remove(temporary)


def replace_folder(new: Path, path: str | Path) -> None:
    """Put a finished folder of the same disk in the place of `path`.

    Its files are first made sure to be on the disk. An older folder is moved aside
    until then; see `atomic_folder`.

    Raises
    ------
    SlagsegError
        If the place cannot be written to.
    """
    path = Path(path)
    older = _older(path)
    try:
        _make_folder(path.parent)
        recover_folder(path)
        for folder, _, names in os.walk(new):
            for name in names:
                _sync(Path(folder, name))
            _sync(Path(folder))
        if os.path.lexists(path):
            path.rename(older)
        new.rename(path)
        _sync(path.parent)
        _remove(older)
    except OSError as error:
        recover_folder(path)
        raise write_error(path, error) from error


def remove_leftovers(folder: Path) -> None:
    """Remove what writers that were killed have left in a folder (not in those below it).

    Only for the one process that may write there.
    """
    with suppress(OSError):
        for path in folder.iterdir():
            if _LEFTOVER.fullmatch(path.name):
                _remove(path)


def recover_folder(path: Path) -> None:
    """Bring back a folder whose replacement was cut off between its two renames."""
    older = _older(path)
    # on a medium that cannot be written, the reader that asked will say what is missing
    with suppress(OSError):
        if os.path.lexists(older):
            if os.path.lexists(path):
                _remove(older)
            else:
                older.rename(path)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise NotADirectoryError(errno.ENOTDIR, f"{folder} is a file, not a folder") from error


def _older(path: Path) -> Path:
    return path.with_name(f".{path.name}.older")


def _sync(path: Path) -> None:
    """Have the disk keep what was written: a power cut then finds the old or the new, not half."""
    if os.name != "posix" and path.is_dir():
        return
    handle = os.open(path, os.O_RDONLY if os.name == "posix" else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink(missing_ok=True)


__all__ = [
    "atomic_file",
    "atomic_folder",
    "recover_folder",
    "remove_leftovers",
    "replace_folder",
    "write_error",
]
