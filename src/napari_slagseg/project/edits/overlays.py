"""Edited chunks on disk, so that a project opens without doing every edit again.

::

    edits/ID/overlay-N.json     which chunks hold after the first N bytes of the journal
    edits/ID/chunks/AB/ABCD...  the chunks, each named after its content

Both are never changed once written, and nothing depends on them: what is missing or damaged is
made again from the journal. A list of chunks says what it belongs to: the digest of all
records' heads, check sums of the bodies included, up to byte N.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_slagseg import io
from napari_slagseg.data import SlagsegError, Triple
from napari_slagseg.io.label_chunks import (
    SUFFIX,
    LabelChunk,
    read_label_chunk,
    write_label_chunk,
)

VERSION = 1
KEPT = 2
"""Lists that stay when older ones are removed: the newest, and one to fall back on."""

Names = Mapping[Triple, str]
"""Names of chunks by their place in the grid."""


@dataclass(frozen=True)
class StoredOverlay:
    """A list of edited chunks.

    Attributes
    ----------
    path : Path
    belongs_to : str
        Id of the segmentation.
    offset : int
        Bytes of the journal that are in it.
    heads : str
        SHA-256 of the records' heads up to there.
    chunks : mapping of array to names of chunks
    """

    path: Path
    belongs_to: str
    offset: int
    heads: str
    chunks: Mapping[str, Names]

    @property
    def folder(self) -> Path:
        """Where the chunks lie."""
        return self.path.parent / "chunks"

    def load(self) -> dict[str, dict[Triple, LabelChunk]]:
        """All chunks, compressed, each checked.

        Raises
        ------
        DamagedChunkError
            If one is missing or damaged.
        """
        return {
            array: {index: read_label_chunk(self.folder, name) for index, name in names.items()}
            for array, names in self.chunks.items()
        }


def write_overlay(
    folder: Path,
    belongs_to: str,
    offset: int,
    heads: str,
    chunks: Mapping[str, Mapping[Triple, LabelChunk]],
) -> StoredOverlay:
    """Store chunks, then the list of them; a kill on the way leaves the older list.

    Parameters
    ----------
    folder : Path
        ``edits/ID``.
    belongs_to, offset, heads
        See `StoredOverlay`.
    chunks : mapping of array to chunks

    Raises
    ------
    SlagsegError
        If the place cannot be written to.
    """
    path = folder / f"overlay-{offset}.json"
    names: dict[str, dict[Triple, str]] = {}
    for array, of_array in chunks.items():
        names[array] = {}
        for index, chunk in of_array.items():
            write_label_chunk(folder / "chunks", chunk)
            names[array][index] = chunk.name
    made = StoredOverlay(path, belongs_to, offset, heads, names)
    values = _values(made)
    io.write_json(path, {**values, "check": _check(values)})
    return made


def read_overlay(path: Path) -> StoredOverlay:
    """Read a list of chunks.

    Raises
    ------
    SlagsegError
        If it is missing, damaged, or of a newer version.
    """
    values = io.read_json(path, "a list of edited chunks")
    try:
        check = values.pop("check")
        if values["version"] != VERSION or check != _check(values):
            raise ValueError("its check sum does not fit")
        chunks = {
            str(array): {_index(key): _name(name) for key, name in names.items()}
            for array, names in values["arrays"].items()
        }
        return StoredOverlay(
            path, str(values["belongs_to"]), int(values["offset"]), str(values["heads"]), chunks
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise SlagsegError(
            f"{path} is damaged ({error}). Delete it: it is made again from the edit journal "
            "beside it."
        ) from error


def stored_overlays(folder: Path) -> Iterator[StoredOverlay]:
    """Lists of chunks in a folder, newest first; damaged ones are passed over."""
    for path in _paths(folder):
        with suppress(SlagsegError):
            yield read_overlay(path)


def remove_old(folder: Path) -> None:
    """Remove lists but for the newest two, and chunks that none of those names.

    Only for the one process that may write there, when no step reads them.
    """
    kept, gone = _paths(folder)[:KEPT], _paths(folder)[KEPT:]
    if not gone:
        return
    try:
        lists = [names for path in kept for names in read_overlay(path).chunks.values()]
    except SlagsegError:
        return  # better too many files than one too few
    needed = {name for names in lists for name in names.values()}
    with suppress(OSError):
        for path in gone:
            path.unlink(missing_ok=True)
        for path in (folder / "chunks").glob(f"*/*{SUFFIX}"):
            if path.stem not in needed:
                path.unlink(missing_ok=True)


def _paths(folder: Path) -> list[Path]:
    found = [p for p in folder.glob("overlay-*.json") if p.stem.partition("-")[2].isdigit()]
    return sorted(found, key=lambda p: int(p.stem.partition("-")[2]), reverse=True)


def _values(overlay: StoredOverlay) -> dict[str, Any]:
    return {
        "version": VERSION,
        "belongs_to": overlay.belongs_to,
        "offset": overlay.offset,
        "heads": overlay.heads,
        "arrays": {
            array: {",".join(map(str, index)): name for index, name in sorted(names.items())}
            for array, names in sorted(overlay.chunks.items())
        },
    }


def _check(values: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def _index(key: str) -> Triple:
    z, y, x = (int(n) for n in key.split(","))
    return z, y, x


def _name(name: str) -> str:
    if len(name) != 64 or not set(name) <= set("0123456789abcdef"):
        raise ValueError(f"{name!r} is no name of a chunk")
    return name


__all__ = [
    "StoredOverlay",
    "read_overlay",
    "remove_old",
    "stored_overlays",
    "write_overlay",
]
