"""Training a network on sparse ground truth (K 2.3.4)."""

from __future__ import annotations

import hashlib
import json
import math
import os
import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from napari_slagseg import __version__
from napari_slagseg.data import (
    CancelledError,
    CancelToken,
    GroundTruth,
    Progress,
    ProgressEvent,
    SlagsegError,
    Volume,
    no_progress,
)
from napari_slagseg.io import write_frame
from napari_slagseg.networks.augmentation import turns
from napari_slagseg.networks.batches import Batch, BatchMaker
from napari_slagseg.networks.card import NetworkCard
from napari_slagseg.networks.checkpoints import (
    STATE,
    fill,
    load_network,
    pick_device,
    read_tensors,
    save_tensors,
    save_weights,
)
from napari_slagseg.networks.eight_bit import EightBitVolume, grey_limits
from napari_slagseg.networks.gradient_step import GradientStep
from napari_slagseg.networks.patches import SparseLabels, fitting_patch
from napari_slagseg.networks.precision import chosen_precision, gradient_scaler
from napari_slagseg.networks.preview import PreviewMaker
from napari_slagseg.networks.preview_file import PreviewBoxes
from napari_slagseg.networks.reading_ahead import ReadAhead
from napari_slagseg.networks.resuming import other_settings, restore_training, training_tensors
from napari_slagseg.networks.settings import TrainingSettings
from napari_slagseg.networks.teaching import Teacher
from napari_slagseg.networks.threads import chosen_threads
from napari_slagseg.networks.unet import build_unet
from napari_slagseg.networks.validation import validate

HISTORY = "history.csv"
"""File of a run with a row for each epoch."""

MOST_LOADERS = 8
"""Threads that make patches beside a GPU, unless another number is given."""


def train_network(
    ct: Volume,
    training: GroundTruth,
    validation: GroundTruth | None,
    settings: TrainingSettings,
    folder: str | Path,
    *,
    initial: str | Path | None = None,
    teacher: str | Path | None = None,
    resume: bool = True,
    provenance: Mapping[str, Any] | None = None,
    preview: PreviewBoxes | None = None,
    progress: Progress = no_progress,
    cancel: CancelToken | None = None,
) -> NetworkCard:
    """Train a network; stop, kill and go on as often as needed.

    Every step draws its patches from a random stream of its own (seed and number
    of the step), so a training that was stopped and resumed gives the same
    weights as one that was not (bit for bit on a CPU with the same threads), and
    threads can make patches ahead in any number. The state is stored after each
    epoch and on cancelling. ``weights.safetensors`` holds the weights of the epoch
    with the least validation loss (of the last epoch where nothing is held out).

    The CT is read where patches lie and kept there as 8 bit, up to
    ``settings.cache_gb``; it may lie in chunked storage. Memory: that, beside the
    network's own.

    Parameters
    ----------
    ct : Volume
    training, validation : GroundTruth
        Without common voxels; validation may be None.
    settings : TrainingSettings
    folder : path
        For weights, card, state and history.
    initial : path or None
        Network whose weights to start from (K's second run).
    teacher : path or None
        Trained network, of any width, that this one learns from besides the truth: over patches
        around the known voxels and as many from anywhere in the CT (see `loss.soft_loss`).
    resume : bool
        Go on from the state in `folder`, if there is one.
    provenance : mapping
        JSON values for the card.
    preview : PreviewBoxes or None
        Boxes of which the training of a particle network shows what it predicts, in files in
        `folder` (`preview_file.read_preview`); the weights are the same with and without.
    progress
        Told after each step: values ``epoch``, ``epochs``, ``step``, ``steps``,
        ``loss`` (per unit of weight), ``teacher_loss`` (per voxel, with a teacher),
        ``waiting_share`` (share of the epoch's time so far that the device waited for
        patches), ``steps_per_second``; and after each epoch ``validation_loss``,
        ``validation_dice``, ``validation_accuracy``. ``preview`` (the folder) is told when
        there is a new preview, ``parts`` where a GPU ran out
        of memory, so that steps are computed in more parts from there on.
    cancel
        Looked at before each step.

    Returns
    -------
    card : NetworkCard
        Of the stored weights.

    Raises
    ------
    SlagsegError
        If the truth is of another volume, empty, or `initial` or `teacher` does not fit.
    CancelledError
    """
    if training.shape != ct.shape:
        raise SlagsegError(
            f"The ground truth is for a volume of {training.shape}, the CT has {ct.shape}."
        )
    with chosen_threads(settings.threads):
        return _Training(
            ct, training, validation, settings, Path(folder), provenance or {}, teacher, preview
        ).run(None if initial is None else Path(initial), resume, progress, cancel)


class _Training:
    def __init__(
        self,
        ct: Volume,
        training: GroundTruth,
        validation: GroundTruth | None,
        settings: TrainingSettings,
        folder: Path,
        provenance: Mapping[str, Any],
        teacher: str | Path | None,
        preview: PreviewBoxes | None,
    ) -> None:
        self.settings, self.folder, self.preview = settings, folder, preview
        self.labels = SparseLabels.of(training, settings.kind)
        self.held_out = (
            SparseLabels.of(validation, settings.kind)
            if validation is not None and len(validation)
            else None
        )
        self.device = pick_device(settings.device)
        self.precision = chosen_precision(settings.precision, self.device)
        self.teacher = (
            None
            if teacher is None
            else Teacher.load(teacher, settings.kind, training.table, ct.voxel_size_um, self.device)
        )
        channels = len(training.table) if settings.kind == "phase" else 1
        self.card = NetworkCard(
            kind=settings.kind,
            widths=settings.widths,
            channels=channels,
            table=training.table,
            # a teacher must see the grey values that it knows, and its pupil sees the same
            grey_limits=grey_limits(ct) if self.teacher is None else self.teacher.card.grey_limits,
            voxel_size_um=ct.voxel_size_um,
            settings=asdict(settings),
        )
        self.provenance = {
            **provenance,
            "truth_sha256": _hash(self.labels),
            "held_out_sha256": None if self.held_out is None else _hash(self.held_out),
            "napari_slagseg": __version__,
            "torch": torch.__version__,
            "device": str(self.device),
            "precision": self.precision,
        }
        if self.teacher is not None:
            self.provenance["teacher"] = self.teacher.notes(
                settings.temperature, settings.teacher_share
            )
        self.ct = ct
        self.patch = fitting_patch(settings.patch, ct.shape)
        self.turns = (
            turns(self.patch, ct.voxel_size_um, settings.mirrors) if settings.rotations else []
        )
        self.network = build_unet(channels, settings.widths, settings.seed)
        self.history: list[dict[str, Any]] = []
        self.best = float("inf")
        self.step = 0
        self.loss_sum, self.weight_sum, self.teacher_sum = 0.0, 0.0, 0.0
        self.parts = settings.accumulate
        self.told: dict[str, Any] = {}

    # -- state -------------------------------------------------------------

    def _start(self, initial: Path | None, resume: bool) -> None:
        s, state = self.settings, self.folder / STATE
        self.network.to(self.device)
        # also on a CPU: a step takes 0.5 to 0.65 of the time there
        self.network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
        self.optimiser = torch.optim.Adam(self.network.parameters(), lr=s.learning_rate)
        self.scaler = gradient_scaler(self.precision, self.device)
        if resume and state.is_file():
            self._load_state(state)
        elif initial is not None:
            self._start_from(initial)
        self.data = EightBitVolume(self.ct.data, self.card.grey_limits, int(s.cache_gb * 1e9))
        share = float(self.labels.weights.sum(dtype=np.float64)) / len(self.labels.voxels)
        self.descent = GradientStep(
            self.network,
            self.optimiser,
            self.scaler,
            device=self.device,
            precision=self.precision,
            gamma=s.gamma,
            # K sums the loss; a constant factor is nothing to Adam but keeps numbers readable
            scale=1.0 / (share * s.batch * 1000.0),
            teacher=self.teacher,
            temperature=s.temperature,
            teacher_share=s.teacher_share,
            parts=self.parts,
            on_smaller=self._in_more_parts,
        )

    def _start_from(self, initial: Path) -> None:
        first = load_network(initial)
        if first.card.kind != self.settings.kind:
            raise SlagsegError(
                f"{initial} is a {first.card.kind} network; a {self.settings.kind} network "
                "cannot start from it."
            )
        fill(self.network, first.network.state_dict(), str(initial))
        if self.teacher is None:
            # the first run's grey limits go with its weights
            self.card = replace(self.card, grey_limits=first.card.grey_limits)

    def _in_more_parts(self, parts: int) -> None:
        self.parts = parts
        self.told["parts"] = parts
        self.provenance["out_of_memory"] = [
            *self.provenance.get("out_of_memory", []),
            {"step": self.step + 1, "parts": parts},
        ]

    def _save_state(self) -> None:
        notes = {
            "step": self.step,
            "best": None if self.best == float("inf") else self.best,
            "loss_sum": self.loss_sum,
            "weight_sum": self.weight_sum,
            "teacher_sum": self.teacher_sum,
            "history": self.history,
            "grey_limits": self.card.grey_limits,
            "parts": self.parts,
            "out_of_memory": self.provenance.get("out_of_memory", []),
            "scaler": self.scaler.state_dict(),
            "run": self._run_notes(),
        }
        tensors = training_tensors(self.network, self.optimiser)
        save_tensors(self.folder / STATE, tensors, notes)

    def _run_notes(self) -> dict[str, Any]:
        """What must be the same for a training to go on as if it had not been stopped."""
        same = asdict(self.settings)
        same["ground truth"] = self.provenance["truth_sha256"]
        same["held-out truth"] = self.provenance["held_out_sha256"]
        same["teacher"] = None if self.teacher is None else self.teacher.sha256
        # through text, so that tuples are lists on both sides
        return dict(json.loads(json.dumps(same)))

    def _load_state(self, path: Path) -> None:
        tensors, notes = read_tensors(path)
        other = other_settings(notes.get("run", {}), self._run_notes())
        if other:
            raise SlagsegError(
                f"{path} is the state of a training with another {', '.join(other)}, so this one "
                "cannot go on from it. Train in another folder, or begin anew (resume=False)."
            )
        restore_training(self.network, self.optimiser, tensors, str(path))
        self.step = int(notes["step"])
        self.best = float("inf") if notes["best"] is None else float(notes["best"])
        self.loss_sum, self.weight_sum = float(notes["loss_sum"]), float(notes["weight_sum"])
        self.teacher_sum = float(notes.get("teacher_sum", 0.0))
        self.history = list(notes["history"])
        self.parts = int(notes.get("parts", self.parts))
        if notes.get("out_of_memory"):
            self.provenance["out_of_memory"] = list(notes["out_of_memory"])
        if notes.get("scaler") and self.scaler.is_enabled():
            self.scaler.load_state_dict(notes["scaler"])
        low, high = notes["grey_limits"]
        self.card = replace(self.card, grey_limits=(float(low), float(high)))

    # -- the loop ----------------------------------------------------------

    def run(
        self,
        initial: Path | None,
        resume: bool,
        progress: Progress,
        cancel: CancelToken | None,
    ) -> NetworkCard:
        s = self.settings
        self.folder.mkdir(parents=True, exist_ok=True)
        self._start(initial, resume)
        shown = self.preview
        self.shows = (
            PreviewMaker(self.network, self.data, shown, self.folder, self.device, self.precision)
            if shown is not None and shown.starts and s.kind == "particle"
            else None
        )
        maker = BatchMaker(
            self.data,
            self.labels,
            self.patch,
            self.turns,
            s,
            anywhere=0 if self.teacher is None else s.batch,
            pin=self.device.type == "cuda",
        )
        steps = range(self.step, s.epochs * s.steps_per_epoch)
        with (
            torch.backends.cudnn.flags(enabled=True, benchmark=True),
            ReadAhead(maker, steps, threads=self._loaders()) as batches,
        ):
            self._all_steps(batches, steps, progress, cancel)
        if not self.history:
            raise RuntimeError("a training ended without an epoch")
        return load_network(self.folder).card

    def _loaders(self) -> int:
        if self.settings.loaders is not None:
            return self.settings.loaders
        if self.device.type == "cuda":
            return max(1, min(MOST_LOADERS, (os.cpu_count() or 2) - 1))
        return 1

    def _all_steps(
        self,
        batches: ReadAhead[Batch],
        steps: range,
        progress: Progress,
        cancel: CancelToken | None,
    ) -> None:
        s = self.settings
        started = time.perf_counter()
        pace = _Pace(batches)
        for _ in steps:
            if cancel is not None and cancel.is_set():
                self._save_state()
                raise CancelledError("cancelled by the user; the training can be resumed")
            self.told = {}
            loss = self._train_step(batches.take())
            pace.steps += 1
            self.step += 1
            epoch, within = divmod(self.step, s.steps_per_epoch)
            stage = f"training the {s.kind} network, epoch {min(epoch + 1, s.epochs)} of {s.epochs}"
            values: dict[str, Any] = {
                "epoch": (self.step - 1) // s.steps_per_epoch,
                "epochs": s.epochs,
                "step": within or s.steps_per_epoch,
                "steps": s.steps_per_epoch,
                "loss": loss,
                **pace.values(),
                **self.told,
            }
            if within == 0:
                values.update(self._end_epoch(epoch, time.perf_counter() - started, pace.values()))
                pace = _Pace(batches)
            if self.shows is not None and self.shows.tell_if_due(last=self.step == steps.stop):
                values["preview"] = str(self.folder)
            progress(ProgressEvent(stage, self.step / steps.stop, values))

    def _train_step(self, batch: Batch) -> float:
        for group in self.optimiser.param_groups:
            group["lr"] = self.settings.learning_rate_at(self.step)
        found = self.descent.take(batch)
        if not math.isfinite(found.loss):
            raise SlagsegError(
                f"The training of the {self.settings.kind} network diverged at step "
                f"{self.step + 1}: the loss is {found.loss}. Lower the learning rate (it is "
                f"{self.settings.learning_rate:g}) and train anew."
            )
        self.loss_sum += found.loss
        self.weight_sum += found.weight
        if found.from_teacher is not None:
            self.teacher_sum += found.from_teacher
            self.told["teacher_loss"] = found.from_teacher
        return found.loss / found.weight

    def _end_epoch(self, epoch: int, seconds: float, pace: dict[str, float]) -> dict[str, Any]:
        row: dict[str, Any] = {"epoch": epoch, "loss": self.loss_sum / self.weight_sum}
        if self.teacher is not None:
            row["teacher_loss"] = self.teacher_sum / self.settings.steps_per_epoch
        self.loss_sum, self.weight_sum, self.teacher_sum = 0.0, 0.0, 0.0
        found: dict[str, Any] = {}
        if self.held_out is not None:
            found = self._validate(self.held_out)
            row.update(found)
        scores = {k: v for k, v in row.items() if k != "epoch"}
        self.history.append({**row, **pace})
        watched = float(row.get("validation_loss", -epoch))
        if watched < self.best:
            self.best = watched
            notes = {**self.provenance, "epochs": epoch, "seconds_so_far": round(seconds, 1)}
            self.card = self.card.with_results(scores, notes)
            save_weights(self.folder, self.network, self.card)
        # the state last: whatever a kill cut off before it is done again on resuming
        write_frame(self.folder / HISTORY, pd.DataFrame(self.history))
        self._save_state()
        return found

    def _validate(self, labels: SparseLabels) -> dict[str, float]:
        return validate(
            self.network,
            self.data,
            labels,
            self.patch,
            gamma=self.settings.gamma,
            device=self.device,
            precision=self.precision,
        )


class _Pace:
    """How fast an epoch goes (since it was resumed, if it was) and how much of it is waiting."""

    def __init__(self, batches: ReadAhead[Batch]) -> None:
        self.steps = 0
        self._batches = batches
        self._started, self._waited = time.perf_counter(), batches.waited_s

    def values(self) -> dict[str, float]:
        seconds = max(time.perf_counter() - self._started, 1e-9)
        return {
            "steps_per_second": round(self.steps / seconds, 4),
            "waiting_share": round((self._batches.waited_s - self._waited) / seconds, 4),
        }


def _hash(labels: SparseLabels) -> str:
    hashed = hashlib.sha256(str(labels.shape).encode())
    for array in (labels.voxels, labels.classes, labels.weights):
        hashed.update(np.ascontiguousarray(array).tobytes())
    return hashed.hexdigest()


__all__ = ["HISTORY", "chosen_threads", "train_network"]
