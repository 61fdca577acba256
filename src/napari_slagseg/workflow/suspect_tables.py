"""The queue of suspects on disk, with all that single rows are scored from again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from napari_slagseg import io
from napari_slagseg.data import SlagsegError
from napari_slagseg.evaluation.suspects import SUSPECT_COLUMNS, Population, SuspectFeatures
from napari_slagseg.io.atomic import recover_folder
from napari_slagseg.project import Project

FORMAT = 1
"""Of the files; others are made anew."""

_AGAIN = "Run 'suspects' again."


@dataclass(frozen=True)
class MadeFrom:
    """Which segmentation the suspects are of.

    Attributes
    ----------
    segmentation : str
        `Project.segmentation_id`.
    edits : str
        `Project.edits_digest` of the edits that held.
    """

    segmentation: str
    edits: str

    @classmethod
    def of(cls, project: Project) -> MadeFrom:
        """The present state of a project."""
        return cls(project.segmentation_id(), project.edits_digest())


@dataclass(frozen=True)
class SuspectTables:
    """Files in a project's folder ``tables``.

    Attributes
    ----------
    queue_path : Path
        ``suspects.csv``, for people: see `evaluation.suspects.suspects_of_blocks`.
    folder : Path
        ``suspects/``: ``particles.csv``, ``pairs.csv``, ``missed.csv``, ``population.json``.
    """

    queue_path: Path
    folder: Path

    @classmethod
    def of(cls, project: Project) -> SuspectTables:
        """Those of a project."""
        return cls(project.tables / "suspects.csv", project.tables / "suspects")

    def write(self, queue: pd.DataFrame, features: SuspectFeatures, made_from: MadeFrom) -> None:
        """Store all: the folder as a whole, then the queue.

        Parameters
        ----------
        queue, features
            As `ranked` and `features_of_blocks` gave them.
        made_from : MadeFrom
        """
        with io.atomic_folder(self.folder) as folder:
            io.write_frame(folder / "particles.csv", features.particles.reset_index())
            io.write_frame(folder / "pairs.csv", features.pairs)
            if features.missed is not None:
                io.write_frame(folder / "missed.csv", features.missed)
            io.write_json(
                folder / "population.json",
                {
                    "kind": "slagseg suspects",
                    "format": FORMAT,
                    "population": features.population.to_json(),
                    "missed": features.missed is not None,
                    "segmentation": made_from.segmentation,
                    "edits": made_from.edits,
                },
            )
        io.write_frame(self.queue_path, queue)

    def queue(self) -> pd.DataFrame:
        """The queue.

        Raises
        ------
        SlagsegError
            If it was not made yet, or is damaged.
        """
        if not self.queue_path.exists():
            raise self._not_yet()
        found = io.read_frame(self.queue_path, "the queue of suspects")
        if tuple(found.columns) != SUSPECT_COLUMNS:
            raise SlagsegError(f"{self.queue_path} has other columns than a queue. {_AGAIN}")
        # an empty table does not know the types of its columns
        return found.astype({"label": int, "partner": int, "score": float})

    def features(self) -> tuple[SuspectFeatures, MadeFrom]:
        """What the queue was made from.

        Raises
        ------
        SlagsegError
            If a file is missing or damaged.
        """
        facts, made_from = self._facts()
        try:
            population = Population.from_json(facts["population"])
            particles = self._frame("particles").set_index("label")
            pairs = self._frame("pairs")
            missed = self._frame("missed") if facts["missed"] else None
        except (KeyError, TypeError, ValueError) as error:
            raise self._unusable(error) from error
        return SuspectFeatures(particles, pairs, population, missed), made_from

    def made_from(self) -> MadeFrom:
        """What the queue was made from, without reading the features.

        Raises
        ------
        SlagsegError
            If the file is missing or damaged.
        """
        return self._facts()[1]

    @property
    def _facts_path(self) -> Path:
        return self.folder / "population.json"

    def _facts(self) -> tuple[dict[str, Any], MadeFrom]:
        recover_folder(self.folder)
        if not self._facts_path.exists():
            raise self._not_yet()
        facts = io.read_json(self._facts_path, "what the suspects were made from")
        try:
            if facts["format"] != FORMAT:
                raise ValueError(f"format {facts['format']}")
            return facts, MadeFrom(str(facts["segmentation"]), str(facts["edits"]))
        except (KeyError, TypeError, ValueError) as error:
            raise self._unusable(error) from error

    def _unusable(self, error: Exception) -> SlagsegError:
        return SlagsegError(f"{self._facts_path} cannot be used ({error}). {_AGAIN}")

    def _not_yet(self) -> SlagsegError:
        return SlagsegError(
            f"{self.queue_path} is missing: the suspects were not looked for yet. Run "
            "'suspects' first."
        )

    def _frame(self, name: str) -> pd.DataFrame:
        return io.read_frame(self.folder / f"{name}.csv", f"the {name} of the suspects")


__all__ = ["FORMAT", "MadeFrom", "SuspectTables"]
