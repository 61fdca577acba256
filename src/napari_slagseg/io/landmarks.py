"""Landmarks as CSV (columns map, row, column, z, y, x) or JSON."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from napari_slagseg.data import Landmarks, SlagsegError
from napari_slagseg.io.formats import check_version
from napari_slagseg.io.text import read_json, read_text, write_json, write_text

FORMAT = 1
COORDINATES = ("row", "column", "z", "y", "x")
_EXAMPLE = "map,row,column,z,y,x and a line like map_1,120,340,57,210,198"
_SUFFIXES = (".csv", ".json")


def write_landmarks(landmarks: Mapping[str, Landmarks], path: str | Path) -> None:
    """Write landmarks of one or several maps, atomically.

    Parameters
    ----------
    landmarks : mapping of map name to Landmarks
    path : path
        Ends in ``.csv`` or ``.json``.

    Raises
    ------
    SlagsegError
        If the ending is another, or the place cannot be written to.
    """
    kind = _kind(path)
    rows = [
        {"map": name, **dict(zip(COORDINATES, map(float, (*pixel, *voxel))))}
        for name, pairs in landmarks.items()
        for pixel, voxel in zip(pairs.pixels, pairs.voxels)
    ]
    if kind == ".json":
        write_json(path, {"kind": "slagseg landmarks", "format": FORMAT, "landmarks": rows})
        return
    text = io.StringIO()
    writer = csv.DictWriter(text, ("map", *COORDINATES), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, text.getvalue())


def read_landmarks(path: str | Path) -> dict[str, Landmarks]:
    """Read landmarks of one or several maps.

    Pixel and voxel centres lie at whole numbers, counted from 0.

    Parameters
    ----------
    path : path
        CSV with the columns map, row, column, z, y, x (in any order; others are
        passed over), or the JSON that `write_landmarks` makes.

    Returns
    -------
    landmarks : dict of map name to Landmarks
        The name is "" where the file names no map.

    Raises
    ------
    SlagsegError
        If the file is missing or damaged; the message names the line and the value.
    """
    path = Path(path)
    entries = _csv_entries(path) if _kind(path) == ".csv" else _json_entries(path)
    found: dict[str, list[list[float]]] = {}
    for where, entry in entries:
        name = str(entry.get("map") or "").strip()
        found.setdefault(name, []).append(
            [_number(entry.get(key), key, where) for key in COORDINATES]
        )
    return {
        name: Landmarks(np.array(rows)[:, :2], np.array(rows)[:, 2:])
        for name, rows in found.items()
    }


def _kind(path: str | Path) -> str:
    suffix = Path(path).suffix.lower()
    if suffix not in _SUFFIXES:
        raise SlagsegError(f"{path}: landmarks are kept as CSV or JSON; end the name in .csv.")
    return suffix


def _csv_entries(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    text = read_text(path, "the landmarks")
    try:
        reader = csv.DictReader(io.StringIO(text, newline=""), skipinitialspace=True)
        header = [(name or "").strip().lower() for name in reader.fieldnames or ()]
        missing = [name for name in COORDINATES if name not in header]
        if missing:
            raise SlagsegError(
                f"{path} lacks the {'column' if len(missing) == 1 else 'columns'} "
                f"{', '.join(map(repr, missing))}; its first line is "
                f"'{','.join(reader.fieldnames or ())}'. "
                f"Landmarks have {_EXAMPLE}."
            )
        reader.fieldnames = header
        for entry in reader:
            if any((value or "").strip() for key, value in entry.items() if key is not None):
                yield f"{path}, line {reader.line_num}", entry
    except csv.Error as error:
        raise SlagsegError(f"{path} cannot be read as CSV: {error}.") from error


def _json_entries(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    content = read_json(path, "the landmarks")
    entries = content.get("landmarks") if isinstance(content, dict) else None
    if not isinstance(entries, list) or not all(isinstance(e, dict) for e in entries):
        raise SlagsegError(
            f"{path} holds no landmarks: it needs a list of that name with the fields "
            "map, row, column, z, y, x."
        )
    check_version(content, FORMAT, path)
    for number, entry in enumerate(entries, 1):
        yield f"{path}, landmark {number}", entry


def _number(value: Any, name: str, where: str) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number) or isinstance(value, bool):
        shown = "nothing" if value is None or value == "" else f"'{value}'"
        raise SlagsegError(f"{where}: {name} is {shown}; it must be a number.")
    return number


__all__ = ["COORDINATES", "read_landmarks", "write_landmarks"]
