"""The project folder.

::

    project.json  phases.json     what the project is made of
    maps/NAME.zarr                the mineral maps (ungrouped phase ids)
    placed/NAME.json              where each map lies in the CT
    placed/NAME.landmarks.json    pairs of places that a user saw to be the same
    placed/history/NAME/          every state of the two, so that each step can be undone
    corrections/0001.zarr         painted errors, in the order they were added
    ground_truth.zarr             sparse labels and weights
    models/phase/run_1/           weights.safetensors, card.json, history.csv
    models/particle/run_1/        the same; run_2 starts from run_1's weights (K 2.3.4)
    segmentation.zarr             phases, particles, particle_probability
    segmentation.before.zarr      the one before, where 'teach' brought a new one
    proposal/                     a new one that waits for the user's word
    edits/ID/                     what was changed in the segmentation of that id by hand
    tables/  figures/             CSV and JSON; PNG and SVG
    steps/NAME.json               with what each step was run
    journal.jsonl                 everything that was done
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from napari_slagseg import io
from napari_slagseg.data import (
    GroundTruth,
    Landmarks,
    MineralMap,
    PhaseTable,
    PlacedMap,
    SlagsegError,
    Volume,
    VolumeLike,
    VoxelSize,
)
from napari_slagseg.networks.settings import WEIGHTS, NetworkKind
from napari_slagseg.project.corrections import Correction, read_correction, write_correction
from napari_slagseg.project.creation import create_project
from napari_slagseg.project.description import (
    MapEntry,
    read_description,
)
from napari_slagseg.project.edits import EarlierEdits, History, SegmentationEdits
from napari_slagseg.project.journal import Journal
from napari_slagseg.project.lock import ProjectLock
from napari_slagseg.project.placement_history import PlacementHistory
from napari_slagseg.project.proposal import Proposal
from napari_slagseg.project.records import StepRecord, read_record, write_record
from napari_slagseg.project.stamps import stamp
from napari_slagseg.project.training_runs import trained_runs, training_runs

SegmentationArray = Literal["phases", "particles", "particle_probability"]


class Project:
    """A project on disk.

    Reading is always possible; whoever writes does so inside ``with
    project.writing():``, which holds the folder's one lock.

    Parameters
    ----------
    folder : path
        The project folder.
    parent : int or None
        Process that holds the lock on this one's behalf (see `ProjectLock`).

    Raises
    ------
    SlagsegError
        If the folder is no project, damaged, or of a newer schema.
    """

    def __init__(self, folder: str | Path, *, parent: int | None = None) -> None:
        self.folder = Path(folder)
        self.description = read_description(self.folder / "project.json")
        self.lock = ProjectLock(self.folder, parent)
        self.journal = Journal(self.folder / "journal.jsonl")
        self._fingerprints: dict[Path, tuple[str, str]] = {}
        self._edits = SegmentationEdits(
            self.folder / "edits",
            self.segmentation_path,
            fingerprint=lambda: self.fingerprint(self.segmentation_path.name),
            lock=self.lock,
            require_lock=self.require_lock,
        )

    # -- making and opening ------------------------------------------------

    @classmethod
    def create(
        cls,
        folder: str | Path,
        *,
        ct: str | Path,
        maps: Sequence[str | Path],
        legend: str | Path,
        pixel_size_um: float,
        target: str,
        voxel_size_um: float | Sequence[float] | None = None,
        raw: io.RawLayout | None = None,
    ) -> Project:
        """Make a project; see `create_project`."""
        create_project(
            folder, ct=ct, maps=maps, legend=legend, pixel_size_um=pixel_size_um, target=target,
            voxel_size_um=voxel_size_um, raw=raw,
        )  # fmt: skip
        return cls(folder)

    @contextmanager
    def writing(self) -> Iterator[Project]:
        """Hold the project's lock (again, if it is held by this object already).

        Steps of a placement that a kill cut off are finished first, so is a new segmentation
        that was taking the old one's place, and what was left of an edit is cut off.
        """
        was_held = self.lock.held
        self.lock.acquire()
        try:
            if not was_held:
                for name in self.map_names():
                    self.alignment(name).recover()
                self.recover_edits()
            yield self
        finally:
            if not was_held:
                self._edits.close()
                self.lock.release()

    # -- what it is made of ------------------------------------------------

    @property
    def voxel_size_um(self) -> VoxelSize:
        """Of the CT, (z, y, x)."""
        return self.description.ct.voxel_size_um

    @property
    def ct_path(self) -> Path:
        """Where the CT lies now, or a clear error."""
        entry = self.description.ct
        for candidate in (self.folder / entry.relative, Path(entry.path)):
            if candidate.exists():
                return candidate
        raise SlagsegError(
            f"The CT of project {self.folder} is gone: neither {entry.path} nor "
            f"{entry.relative} (from the project folder) exists. Move it back there."
        )

    def ct_fingerprint(self) -> str:
        """Fingerprint of the CT as it is now; the noted one while its stamp is unchanged."""
        path = self.ct_path
        entry = self.description.ct
        return entry.fingerprint if stamp(path) == entry.stamp else self._fingerprint(path)

    def fingerprint(self, relative: str | Path) -> str:
        """Fingerprint of a file or folder of the project, computed once while it is unchanged.

        Raises
        ------
        SlagsegError
            If it is not there.
        """
        path = self.folder / relative
        if not path.exists():
            raise SlagsegError(f"{path} is missing: the step that makes it was not run yet.")
        return self._fingerprint(path)

    def _fingerprint(self, path: Path) -> str:
        now = stamp(path)
        known = self._fingerprints.get(path)
        if known is None or known[0] != now:
            known = (now, io.fingerprint(path))
            self._fingerprints[path] = known
        return known[1]

    def volume(self) -> Volume:
        """Read the CT (memory-mapped where the file allows it)."""
        entry = self.description.ct
        raw = None if entry.raw is None else io.RawLayout(**entry.raw)
        volume = io.read_volume(self.ct_path, entry.voxel_size_um, raw=raw)
        if volume.shape != entry.shape:
            raise SlagsegError(
                f"{self.ct_path} has the shape {volume.shape}, but the project was made with "
                f"{entry.shape}. It is another file: move the first one back."
            )
        return volume

    def phase_table(self) -> PhaseTable:
        """Ungrouped phase table with the target set."""
        return io.read_legend(self.folder / "phases.json", target=self.description.target)

    def map_names(self) -> tuple[str, ...]:
        """Names of the mineral maps."""
        return tuple(entry.name for entry in self.description.maps)

    def map_entry(self, name: str) -> MapEntry:
        """What is noted of a map, or a clear error that there is none of that name."""
        for entry in self.description.maps:
            if entry.name == name:
                return entry
        raise SlagsegError(
            f"Project {self.folder} has no map '{name}'. It has: {', '.join(self.map_names())}."
        )

    def mineral_map(self, name: str) -> MineralMap:
        """Read one mineral map."""
        entry = self.map_entry(name)
        with _way_out(
            "Put a copy of it back, or make the project again in another folder from "
            f"{entry.source}."
        ):
            phases = io.read_zarr_array(self.folder / "maps" / f"{name}.zarr", "phases")
        return MineralMap(
            phases=phases.astype(np.int16, copy=False),
            pixel_size_um=entry.pixel_size_um,
            table=self.phase_table(),
            name=name,
            source=entry.source,
            unmatched_fraction=entry.unmatched_fraction,
        )

    def mineral_maps(self) -> list[MineralMap]:
        """Read all mineral maps."""
        return [self.mineral_map(name) for name in self.map_names()]

    # -- what the steps leave ----------------------------------------------

    @property
    def segmentation_path(self) -> Path:
        """``segmentation.zarr``."""
        return self.folder / "segmentation.zarr"

    @property
    def ground_truth_path(self) -> Path:
        """``ground_truth.zarr``."""
        return self.folder / "ground_truth.zarr"

    @property
    def tables(self) -> Path:
        """Folder of the CSV tables."""
        return self.folder / "tables"

    @property
    def figures(self) -> Path:
        """Folder of the figures."""
        return self.folder / "figures"

    def placed_path(self, name: str) -> Path:
        """File of the placement of a map."""
        return self.folder / "placed" / f"{name}.json"

    def placed_map(self, name: str) -> PlacedMap | None:
        """Placement of a map; None before it was registered."""
        path = self.placed_path(name)
        with _way_out("Delete it and run 'register' again."):
            return io.read_placed_map(path) if path.is_file() else None

    def placed_maps(self) -> dict[str, PlacedMap]:
        """Placements that exist, refused ones included."""
        found = {name: self.placed_map(name) for name in self.map_names()}
        return {name: placed for name, placed in found.items() if placed is not None}

    def save_placed(
        self, placed: PlacedMap, event: str = "placed", what: str | None = None
    ) -> None:
        """Store a placement (of a run, or changed by the user) as one undoable step.

        Parameters
        ----------
        placed : PlacedMap
        event : str
            For the journal.
        what : str, optional
            For the undo button; by default the event.
        """
        self.alignment(placed.map_name).save_placement(placed, what or event)
        self.journal.append(
            event,
            map=placed.map_name,
            placed=placed.placed,
            accepted=sum(c.accepted for c in placed.cutouts),
            cutouts=len(placed.cutouts),
        )

    def landmarks_path(self, name: str) -> Path:
        """File of the landmarks of a map."""
        return self.folder / "placed" / f"{name}.landmarks.json"

    def landmarks(self, name: str) -> Landmarks | None:
        """Stored landmarks of a map; None where it has none."""
        path = self.landmarks_path(name)
        with _way_out("Delete it and set the landmarks again."):
            return io.read_landmarks(path).get(name) if path.is_file() else None

    def alignment(self, name: str) -> PlacementHistory:
        """History of a map's placement and landmarks: recording steps, undoing them."""
        self.map_entry(name)
        return PlacementHistory(
            name,
            self.placed_path(name),
            self.landmarks_path(name),
            self.folder / "placed" / "history" / name,
            self.journal,
            self.require_lock,
        )

    def ground_truth(self) -> GroundTruth:
        """Read the sparse ground truth, or say that there is none yet."""
        if not self.ground_truth_path.exists():
            raise SlagsegError(
                f"Project {self.folder} has no ground truth yet. Run 'annotate' first."
            )
        with _way_out("Run 'annotate' again."):
            return io.read_ground_truth(self.ground_truth_path)

    def segmentation(self, name: SegmentationArray) -> NDArray[Any]:
        """Read an array of the segmentation, as edited, or say that there is none yet."""
        return np.array(self.segmentation_volume(name))

    def segmentation_volume(self, name: SegmentationArray, *, edited: bool = True) -> VolumeLike:
        """Open an array of the segmentation to read boxes of it, or say that there is none yet.

        Parameters
        ----------
        name : {"phases", "particles", "particle_probability"}
        edited : bool
            As edited by hand, of this moment; else as segmented.

        Returns
        -------
        ZarrVolume, StoredEdits or EditedVolume
            The first where nothing was edited. The first two can be sent to other processes;
            the last comes where edits are not stored yet and this process may not write.
        """
        self._segmentation_there()
        with _way_out("Run 'segment' again."):
            base = self._edits.base(name)
        return self._edits.volume(name) if edited else base

    def segmentation_levels(self, name: SegmentationArray) -> list[VolumeLike]:
        """An array of the segmentation at all resolutions, finest first, for a viewer.

        Particles and phases follow later edits of `edits`; they stay in this process.
        """
        self._segmentation_there()
        with _way_out("Run 'segment' again."):
            stored = self._edits.base_levels(name)
        return self._edits.levels(name, stored)

    def _segmentation_there(self) -> None:
        if not self.segmentation_path.exists():
            raise SlagsegError(
                f"Project {self.folder} has no segmentation yet. Run 'segment' first."
            )

    # -- edits of the segmentation -----------------------------------------

    def segmentation_id(self) -> str:
        """Name of the present segmentation, which its edits belong to.

        Raises
        ------
        SlagsegError
            If there is no segmentation.
        """
        return self._edits.segmentation_id()

    def edits_folder(self, segmentation_id: str | None = None) -> Path:
        """Folder of the edits of a segmentation, by default the present one; may not exist."""
        return self._edits.folder_of(segmentation_id)

    def edits(self) -> History:
        """Edits of the present segmentation, over its particles and phases.

        The same object comes until 'segment' is run again. Reading needs no lock.

        Raises
        ------
        SlagsegError
            If there is no segmentation, or the edits cannot be read.
        """
        return self._edits.history()

    def edits_digest(self) -> str:
        """Of the edits that changed the segmentation and hold; empty where none do.

        Takes milliseconds: no volume is opened.
        """
        return self._edits.digest()

    def present_edits(self) -> EarlierEdits | None:
        """Edits of the present segmentation without its volumes; None if there are none.

        Raises
        ------
        SlagsegError
            If there is no segmentation.
        """
        return self._edits.present()

    def earlier_edits(self) -> list[EarlierEdits]:
        """Edits of segmentations before the present one, oldest first."""
        return self._edits.earlier()

    def recover_edits(self) -> None:
        """Finish taking a proposed segmentation, and cut off what a kill has left of an edit.

        `writing` does so by itself; a holder of the lock that took it in another way calls this.
        """
        self.proposal.go_on()
        self._edits.recover()

    def close_edits(self) -> None:
        """Store edited chunks for the next start, which is quicker then; nothing needs it."""
        self._edits.close()

    @property
    def proposal(self) -> Proposal:
        """The new segmentation that waits for the user's word, if there is one."""
        return Proposal(self.folder)

    def corrections(self) -> list[Correction]:
        """Painted errors, oldest first."""
        return [
            read_correction(path) for path in sorted((self.folder / "corrections").glob("*.zarr"))
        ]

    def add_correction(self, correction: Correction) -> Path:
        """Store one more set of painted errors; one of the same origin is replaced."""
        self.require_lock()
        if not correction.teaches:
            raise SlagsegError("Nothing is painted on the error layer: there is nothing to add.")
        path = self.folder / "corrections" / self.correction_name(correction.origin)
        write_correction(path, correction)
        self.journal.append("correction", file=path.name, voxels=len(correction.voxels))
        return path

    def correction_name(self, origin: str) -> str:
        """File name that a correction of an origin has, or would get."""
        numbers = [0]
        for path in sorted((self.folder / "corrections").glob("*.zarr")):
            if origin and io.read_zarr_attributes(path).get("origin") == origin:
                return path.name
            if path.stem.isdigit():
                numbers.append(int(path.stem))
        return f"{max(numbers) + 1:04d}.zarr"

    def model_runs(self, kind: NetworkKind) -> list[Path]:
        """Training runs of a network, oldest first."""
        return training_runs(self.folder / "models" / kind)

    def trained_runs(self, kind: NetworkKind) -> list[Path]:
        """Those of the `model_runs` that have weights, oldest first."""
        return trained_runs(self.folder / "models" / kind)

    def model_folder(self, kind: NetworkKind) -> Path | None:
        """Latest run of a network that has weights."""
        runs = self.trained_runs(kind)
        return runs[-1] if runs else None

    def weights_fingerprint(self, run: Path) -> str:
        """Fingerprint of the network of a training run."""
        return self.fingerprint((run / WEIGHTS).relative_to(self.folder))

    def next_model_folder(self, kind: NetworkKind) -> Path:
        """Folder for a new training run (not made yet)."""
        runs = self.model_runs(kind)
        number = int(runs[-1].name[4:]) + 1 if runs else 1
        return self.folder / "models" / kind / f"run_{number}"

    # -- records -----------------------------------------------------------

    def record(self, step: str) -> StepRecord | None:
        """Record of the last finished run of a step."""
        return read_record(self.folder / "steps" / f"{step}.json")

    def save_record(self, record: StepRecord) -> None:
        """Store the record of a finished step."""
        self.require_lock()
        write_record(self.folder / "steps" / f"{record.step}.json", record)
        self.journal.append("step", step=record.step, seconds=record.seconds)

    def require_lock(self) -> None:
        """Refuse to write for who does not hold the project's lock.

        Raises
        ------
        RuntimeError
        """
        if not self.lock.held:
            raise RuntimeError("write to a project inside 'with project.writing():'")

    def provenance(self) -> dict[str, Any]:
        """Everything that a result can be traced back to, as JSON values."""
        steps = {p.stem: self.record(p.stem) for p in sorted((self.folder / "steps").glob("*"))}
        return {
            "project": self.description.model_dump(mode="json"),
            "steps": {k: r.model_dump(mode="json") for k, r in steps.items() if r is not None},
            "corrections": len(list((self.folder / "corrections").glob("*.zarr"))),
            "edits": self.edits_digest() if self.segmentation_path.exists() else "",
        }


@contextmanager
def _way_out(words: str) -> Iterator[None]:
    """Add what to do about a damaged part of a project to the error that names it."""
    try:
        yield
    except SlagsegError as error:
        raise SlagsegError(f"{error} {words}") from error


__all__ = ["Correction", "NetworkKind", "Project"]
