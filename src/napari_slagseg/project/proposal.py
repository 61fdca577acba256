"""A new segmentation that waits for the user's word, and how it takes the place of the old one.

::

    proposal/making.json          what it is being made from; work goes on only while that holds
    proposal/network/             the particle network, trained on from its last weights
    proposal/ground_truth.zarr    with what the edits taught
    proposal/correction.zarr      that alone
    proposal/segmentation.zarr    by that network
    proposal/edits/ID/            the user's particles on top of it, and the list of conflicts
    proposal/proposal.json        what came of it; written last
    proposal/accepting.json       while it takes the old one's place

Nothing else in the project changes before the user has taken it. The old segmentation is kept
as ``segmentation.before.zarr`` until the next one is taken: its edits can be looked at upon
nothing else, and to make it again takes the prediction of the whole volume. It takes as much
room on the disk as the new one (about a byte a voxel and less); delete it where that is short.
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from napari_slagseg.data import SlagsegError
from napari_slagseg.io import read_json, replace_folder, write_error, write_json
from napari_slagseg.project.records import StepRecord, write_record

FOLDER = "proposal"
DECLINED = "declined"
"""Folder beside the training runs for the networks of proposals that were not taken."""


class Proposal:
    """The proposal of a project: where its parts lie, and the user's word on it.

    Parameters
    ----------
    project : Path
        The project's folder.
    """

    def __init__(self, project: Path) -> None:
        self.project = project
        self.folder = project / FOLDER

    # -- parts -------------------------------------------------------------------

    @property
    def network(self) -> Path:
        """Folder of the training run."""
        return self.folder / "network"

    @property
    def segmentation(self) -> Path:
        """Store of the new segmentation."""
        return self.folder / "segmentation.zarr"

    @property
    def ground_truth(self) -> Path:
        """Store of the ground truth that the network learnt from."""
        return self.folder / "ground_truth.zarr"

    @property
    def correction(self) -> Path:
        """Store of what the edits taught; not there where they taught nothing."""
        return self.folder / "correction.zarr"

    @property
    def edits(self) -> Path:
        """Folder of the edits of the new segmentation, by its id."""
        return self.folder / "edits"

    @property
    def before(self) -> Path:
        """Where the old segmentation goes."""
        return self.project / "segmentation.before.zarr"

    # -- state -------------------------------------------------------------------

    @property
    def ready(self) -> bool:
        """Whether it waits for the user's word."""
        return (self.folder / "proposal.json").is_file() and not self._intent.is_file()

    @property
    def making(self) -> dict[str, Any]:
        """What it is being made from; empty where none is."""
        path = self.folder / "making.json"
        return dict(read_json(path, "a proposal")) if path.is_file() else {}

    def begin(self, making: Mapping[str, Any]) -> None:
        """Say what a new one is made from. What was made of something else must be gone."""
        write_json(self.folder / "making.json", dict(making))

    def finish(self, found: Mapping[str, Any]) -> None:
        """Store what came of it: from now on it waits for the user's word."""
        write_json(self.folder / "proposal.json", dict(found))

    def found(self) -> dict[str, Any]:
        """What came of it.

        Raises
        ------
        SlagsegError
            If none waits.
        """
        if not self.ready:
            raise SlagsegError(
                f"Project {self.project} has no new segmentation that waits for your word. Run "
                "'teach' first."
            )
        return dict(read_json(self.folder / "proposal.json", "a proposal"))

    # -- the user's word ---------------------------------------------------------

    @property
    def _intent(self) -> Path:
        return self.folder / "accepting.json"

    def accept(
        self, *, correction: str, run: str, edits: str, records: Sequence[StepRecord]
    ) -> None:
        """Put it in the old segmentation's place; goes on after a kill with `go_on`.

        Parameters
        ----------
        correction : str
            File name for what the edits taught; "" where they taught nothing.
        run : str
            Name of the network's training run from now on.
        edits : str
            Id of the new segmentation.
        records : sequence of StepRecord
            Of the steps whose results it brings.
        """
        write_json(
            self._intent,
            {
                "correction": correction,
                "run": run,
                "edits": edits,
                "records": [r.model_dump(mode="json") for r in records],
            },
        )
        self.go_on()

    def go_on(self) -> bool:
        """Finish what `accept` began; whether there was anything to finish.

        Every move is left out that was made already, so this can be ended and repeated anywhere.
        """
        if not self._intent.is_file():
            return False
        intent = read_json(self._intent, "the note of a segmentation that is being taken")
        models = self.project / "models" / "particle"
        try:
            if self.correction.exists():
                replace_folder(self.correction, self.project / "corrections" / intent["correction"])
            if self.ground_truth.exists():
                replace_folder(self.ground_truth, self.project / "ground_truth.zarr")
            if self.network.exists():
                replace_folder(self.network, models / intent["run"])
            carried = self.edits / intent["edits"]
            if carried.exists():
                replace_folder(carried, self.project / "edits" / intent["edits"])
            if self.segmentation.exists():
                present = self.project / "segmentation.zarr"
                if present.exists():  # the old one: the new one has not left its place yet
                    replace_folder(present, self.before)
                replace_folder(self.segmentation, present)
            for values in intent["records"]:
                record = StepRecord.model_validate(values)
                write_record(self.project / "steps" / f"{record.step}.json", record)
        except OSError as error:
            raise write_error(self.project, error) from error
        self._remove()
        return True

    def discard(self) -> str:
        """Give it up; its network is set aside. Returns the place of that, from the project."""
        kept = ""
        if self.network.is_dir():
            declined = self.project / "models" / "particle" / DECLINED
            number = 1
            while (declined / f"run_{number}").exists():
                number += 1
            target = declined / f"run_{number}"
            replace_folder(self.network, target)
            kept = target.relative_to(self.project).as_posix()
        self._remove()
        return kept

    def _remove(self) -> None:
        if not self.folder.exists():
            return
        # a name that is swept up by whoever opens the project next, if this is killed
        gone = self.project / f".{FOLDER}-slagseg-{uuid.uuid4().hex[:8]}"
        try:
            self.folder.rename(gone)
        except OSError as error:
            raise write_error(self.folder, error) from error
        shutil.rmtree(gone, ignore_errors=True)


__all__ = ["DECLINED", "FOLDER", "Proposal"]
