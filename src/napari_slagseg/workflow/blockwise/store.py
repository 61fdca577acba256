"""What blocks leave for other blocks and for a later run, as files of a work folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from numpy.typing import NDArray

from napari_slagseg.data import Block, BlockResult, SlagsegError, Triple
from napari_slagseg.workflow.blockwise.array_files import (
    DamagedFileError,
    read_arrays,
    write_arrays,
)


def file_name(name: str) -> str:
    """The name of a stage, a scratch volume or of kept arrays, fit to be one of a file."""
    quoted = quote(name, safe="")
    return f"%2E{quoted[1:]}" if quoted.startswith(".") else quoted


def block_file(index: Triple) -> str:
    """File name of a block."""
    return "-".join(map(str, index)) + ".arr"


@dataclass(frozen=True)
class FileStore:
    """`BlockStore` of one file a name and block; it pickles as its folder's path.

    Parameters
    ----------
    folder : Path
    """

    folder: Path

    def put(self, name: str, block: Block, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Keep arrays of a block under a name, in place of older ones.

        On the disk when it returns: a task may note here what it is about to overwrite.
        """
        path = self._path(name, block)
        try:
            write_arrays(path, arrays, durable=True)
        except FileNotFoundError:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_arrays(path, arrays, durable=True)

    def get(self, name: str, block: Block) -> BlockResult:
        """Arrays kept; `KeyError` where there are none."""
        path = self._path(name, block)
        try:
            return read_arrays(path)
        except FileNotFoundError:
            raise KeyError((name, block.index)) from None
        except DamagedFileError as error:
            raise SlagsegError(
                f"{error}. Delete the folder {self.folder.parent} and run the step again."
            ) from error

    def _path(self, name: str, block: Block) -> Path:
        return self.folder / file_name(name) / block_file(block.index)


@dataclass(frozen=True)
class StageRecords:
    """Which blocks of a stage are done, and what they gave.

    Parameters
    ----------
    folder : Path
        Of this stage.
    """

    folder: Path

    def path(self, block: Block) -> Path:
        """File of a block's record."""
        return self.folder / block_file(block.index)

    def write(self, block: Block, result: Mapping[str, NDArray[Any]]) -> None:
        """Record that a block is done; call it when all that it writes is written."""
        write_arrays(self.path(block), result)

    def read(self, block: Block) -> BlockResult | None:
        """What a block gave; None where it is not done, or its record is damaged."""
        try:
            return read_arrays(self.path(block))
        except (FileNotFoundError, DamagedFileError):
            return None

    def names(self) -> set[str]:
        """File names of the records that are there."""
        try:
            return {p.name for p in self.folder.iterdir() if not p.name.startswith(".")}
        except FileNotFoundError:
            return set()


__all__ = ["FileStore", "StageRecords", "block_file", "file_name"]
