"""Text and JSON files, written whole and read with clear errors."""

from __future__ import annotations

import dataclasses
import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from napari_slagseg.data import SlagsegError
from napari_slagseg.io.atomic import atomic_file


def require_file(path: Path, what: str) -> None:
    """Raise a clear error where `path` is no file."""
    if path.is_dir():
        raise SlagsegError(f"{path} is a folder; {what} must be a file.")
    if not path.is_file():
        raise SlagsegError(f"{path} does not exist. Check the name of {what}.")


def write_text(path: str | Path, text: str) -> None:
    """Write a UTF-8 text file atomically; line ends are written as they are."""
    with atomic_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="")


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


def plain(value: Any) -> Any:
    """Same thing in what JSON knows.

    Numpy values and arrays become numbers and lists, data classes objects,
    paths text; a number that is NaN or infinite becomes null.
    """
    # the usual cases first: a placement holds ten thousands of numbers
    if type(value) is float:
        return value if math.isfinite(value) else None
    if type(value) in (str, int, bool, type(None)):
        return value
    if isinstance(value, Mapping):
        return {str(plain(k)): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, (set, frozenset)):
        return sorted(plain(v) for v in value)
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    return value


def to_json(value: Any) -> str:
    """Strict JSON text (NaN and infinities become null), indented."""
    return json.dumps(plain(value), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def json_lines(value: Mapping[str, Any]) -> str:
    """Strict JSON text of an object: a line for each entry, and for each item of lists of objects.

    Many times faster than `to_json`, and shorter.
    """

    def text_of(entry: Any) -> str:
        return json.dumps(entry, ensure_ascii=False, allow_nan=False)

    lines = []
    for name, entry in plain(value).items():
        if isinstance(entry, list) and entry and all(isinstance(e, dict) for e in entry):
            written = "[\n  " + ",\n  ".join(map(text_of, entry)) + "\n ]"
        else:
            written = text_of(entry)
        lines.append(f" {text_of(name)}: {written}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def write_json(path: str | Path, value: Any) -> None:
    """Write strict JSON atomically; see `plain` for what becomes of numpy values and NaN.

    Raises
    ------
    SlagsegError
        If the place cannot be written; an older file is untouched.
    TypeError
        If `value` holds something that has no JSON form.
    """
    write_text(path, to_json(value))


def read_json(path: str | Path, what: str = "the file") -> Any:
    """Read a JSON file, or say what is wrong with it and where.

    Parameters
    ----------
    path : path
    what : str
        What the file is, for the error ("the project description").
    """
    path = Path(path)
    text = read_text(path, what)
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise SlagsegError(
            f"{path} ({what}) is not valid JSON: {error.msg} in line {error.lineno}, "
            f"column {error.colno}. It is damaged, cut short or not JSON at all."
        ) from error
    except RecursionError as error:
        raise SlagsegError(f"{path} ({what}) is not valid JSON: it is nested too deep.") from error


__all__ = [
    "json_lines",
    "plain",
    "read_json",
    "read_text",
    "require_file",
    "to_json",
    "write_json",
    "write_text",
]
