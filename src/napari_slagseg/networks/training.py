"""Training a network on sparse ground truth (K 2.3.4)."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

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
from napari_slagseg.networks.loss import at_known, focal_loss
from napari_slagseg.networks.patches import (
    Patch,
    SparseLabels,
    cut_out,
    draw_patch,
    fitting_patch,
    fixed_windows,
    grey_limits,
    to_eight_bit,
)
from napari_slagseg.networks.resuming import restore_training, training_tensors
from napari_slagseg.networks.settings import TrainingSettings
from napari_slagseg.networks.unet import build_unet

if TYPE_CHECKING:
    from collections.abc import Iterator

VALIDATION_WINDOWS = 12
"""Windows that the validation looks at after each epoch, at most."""

_MAY_CHANGE = ("epochs", "device", "mixed_precision", "threads")
"""Settings that a training may go on with another value of."""


@contextmanager
def chosen_threads(count: int | None) -> Iterator[None]:
    """CPU threads of torch for a while."""
    before = torch.get_num_threads()
    if count is not None:
        torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def train_network(
    ct: Volume,
    training: GroundTruth,
    validation: GroundTruth | None,
    settings: TrainingSettings,
    folder: str | Path,
    *,
    initial: str | Path | None = None,
    resume: bool = True,
    provenance: Mapping[str, Any] | None = None,
    progress: Progress = no_progress,
    cancel: CancelToken | None = None,
) -> NetworkCard:
    """Train a network; stop, kill and go on as often as needed.

    Every step draws its patches from a random stream of its own (seed and number
    of the step), so a training that was stopped and resumed gives the same
    weights as one that was not (bit for bit on a CPU with the same threads). The
    state is stored after each epoch and on cancelling. ``weights.safetensors``
    holds the weights of the epoch with the least validation loss (of the last
    epoch where nothing is held out).

    Memory: 1 byte a voxel for the 8-bit CT, beside the network's own.

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
    resume : bool
        Go on from the state in `folder`, if there is one.
    provenance : mapping
        JSON values for the card.
    progress
        Told after each step: values ``epoch``, ``epochs``, ``step``, ``steps``,
        ``loss`` (per unit of weight), and after each epoch ``validation_loss``,
        ``validation_dice``, ``validation_accuracy``.
    cancel
        Looked at before each step.

    Returns
    -------
    card : NetworkCard
        Of the stored weights.

    Raises
    ------
    SlagsegError
        If the truth is of another volume, empty, or `initial` does not fit.
    CancelledError
    """
    if training.shape != ct.shape:
        raise SlagsegError(
            f"The ground truth is for a volume of {training.shape}, the CT has {ct.shape}."
        )
    with chosen_threads(settings.threads):
        return _Training(ct, training, validation, settings, Path(folder), provenance or {}).run(
            None if initial is None else Path(initial), resume, progress, cancel
        )


class _Training:
    def __init__(
        self,
        ct: Volume,
        training: GroundTruth,
        validation: GroundTruth | None,
        settings: TrainingSettings,
        folder: Path,
        provenance: Mapping[str, Any],
    ) -> None:
        self.settings, self.folder = settings, folder
        self.labels = SparseLabels.of(training, settings.kind)
        self.held_out = (
            SparseLabels.of(validation, settings.kind)
            if validation is not None and len(validation)
            else None
        )
        self.device = pick_device(settings.device)
        channels = len(training.table) if settings.kind == "phase" else 1
        self.card = NetworkCard(
            kind=settings.kind,
            widths=settings.widths,
            channels=channels,
            table=training.table,
            grey_limits=grey_limits(ct),
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
        }
        self.ct = ct
        self.patch = fitting_patch(settings.patch, ct.shape)
        self.turns = (
            turns(self.patch, ct.voxel_size_um, settings.mirrors) if settings.rotations else []
        )
        self.network = build_unet(channels, settings.widths, settings.seed)
        self.history: list[dict[str, Any]] = []
        self.best = float("inf")
        self.step = 0
        self.loss_sum, self.weight_sum = 0.0, 0.0
        share = float(self.labels.weights.sum(dtype=np.float64)) / len(self.labels.voxels)
        # K sums the loss; a constant factor is nothing to Adam but keeps numbers readable
        self.scale = 1.0 / (share * settings.batch * 1000.0)

    # -- state -------------------------------------------------------------

    def _start(self, initial: Path | None, resume: bool) -> None:
        state = self.folder / STATE
        self.network.to(self.device)
        # also on a CPU: a step takes 0.5 to 0.65 of the time there
        self.network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
        self.optimiser = torch.optim.Adam(self.network.parameters(), lr=self.settings.learning_rate)
        if resume and state.is_file():
            self._load_state(state)
        elif initial is not None:
            first = load_network(initial)
            if first.card.kind != self.settings.kind:
                raise SlagsegError(
                    f"{initial} is a {first.card.kind} network; a {self.settings.kind} network "
                    "cannot start from it."
                )
            fill(self.network, first.network.state_dict(), str(initial))
            # the first run's grey limits go with its weights
            self.card = replace(self.card, grey_limits=first.card.grey_limits)
        self.data = to_eight_bit(self.ct.data, self.card.grey_limits)

    def _save_state(self) -> None:
        notes = {
            "step": self.step,
            "best": None if self.best == float("inf") else self.best,
            "loss_sum": self.loss_sum,
            "weight_sum": self.weight_sum,
            "history": self.history,
            "grey_limits": self.card.grey_limits,
            "run": self._run_notes(),
        }
        tensors = training_tensors(self.network, self.optimiser)
        save_tensors(self.folder / STATE, tensors, notes)

    def _run_notes(self) -> dict[str, Any]:
        """What must be the same for a training to go on as if it had not been stopped."""
        same = {k: v for k, v in asdict(self.settings).items() if k not in _MAY_CHANGE}
        if self.settings.decay:  # the learning rate follows the number of epochs
            same["epochs"] = self.settings.epochs
        same["ground truth"] = self.provenance["truth_sha256"]
        same["held-out truth"] = self.provenance["held_out_sha256"]
        # through text, so that tuples are lists on both sides
        return dict(json.loads(json.dumps(same)))

    def _load_state(self, path: Path) -> None:
        tensors, notes = read_tensors(path)
        before, now = notes.get("run", {}), self._run_notes()
        other = [name.replace("_", " ") for name in now if before.get(name) != now[name]]
        if other:
            raise SlagsegError(
                f"{path} is the state of a training with another {', '.join(other)}, so this one "
                "cannot go on from it. Train in another folder, or begin anew (resume=False)."
            )
        restore_training(self.network, self.optimiser, tensors, str(path))
        self.step = int(notes["step"])
        self.best = float("inf") if notes["best"] is None else float(notes["best"])
        self.loss_sum, self.weight_sum = float(notes["loss_sum"]), float(notes["weight_sum"])
        self.history = list(notes["history"])
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
        total = s.epochs * s.steps_per_epoch
        started = time.perf_counter()
        while self.step < total:
            if cancel is not None and cancel.is_set():
                self._save_state()
                raise CancelledError("cancelled by the user; the training can be resumed")
            self.network.train()
            loss, weight = self._train_step()
            if not math.isfinite(loss):
                raise SlagsegError(
                    f"The training of the {s.kind} network diverged at step {self.step + 1}: the "
                    f"loss is {loss}. Lower the learning rate (it is {s.learning_rate:g}) and "
                    "train anew."
                )
            self.loss_sum += loss
            self.weight_sum += weight
            self.step += 1
            epoch, within = divmod(self.step, s.steps_per_epoch)
            stage = f"training the {s.kind} network, epoch {min(epoch + 1, s.epochs)} of {s.epochs}"
            values: dict[str, Any] = {
                "epoch": (self.step - 1) // s.steps_per_epoch,
                "epochs": s.epochs,
                "step": within or s.steps_per_epoch,
                "steps": s.steps_per_epoch,
                "loss": loss / weight,
            }
            if within == 0:
                values.update(self._end_epoch(epoch, time.perf_counter() - started))
            progress(ProgressEvent(stage, self.step / total, values))
        if not self.history:
            raise RuntimeError("a training ended without an epoch")
        return load_network(self.folder).card

    def _end_epoch(self, epoch: int, seconds: float) -> dict[str, Any]:
        row: dict[str, Any] = {"epoch": epoch, "loss": self.loss_sum / self.weight_sum}
        self.loss_sum, self.weight_sum = 0.0, 0.0
        found: dict[str, Any] = {}
        if self.held_out is not None:
            found = self._validate(self.held_out)
            row.update(found)
        self.history.append(row)
        watched = float(row.get("validation_loss", -epoch))
        if watched < self.best:
            self.best = watched
            notes = {**self.provenance, "epochs": epoch, "seconds_so_far": round(seconds, 1)}
            scores = {k: v for k, v in row.items() if k != "epoch"}
            self.card = self.card.with_results(scores, notes)
            save_weights(self.folder, self.network, self.card)
        # the state last: whatever a kill cut off before it is done again on resuming
        write_frame(self.folder / "history.csv", pd.DataFrame(self.history))
        self._save_state()
        return found

    def _train_step(self) -> tuple[float, float]:
        s = self.settings
        # one stream a step: where a training was stopped leaves no trace
        rng = np.random.default_rng([s.seed, 7, self.step])
        for group in self.optimiser.param_groups:
            group["lr"] = s.learning_rate_at(self.step)
        patches = [
            draw_patch(
                self.data,
                self.labels,
                self.patch,
                self.turns,
                rng,
                grey_shift=s.grey_shift,
                elastic=s.elastic,
            )
            for _ in range(s.batch)
        ]
        self.optimiser.zero_grad(set_to_none=True)
        with self._precision():
            logits = self.network(self._input([p.image for p in patches]))
        known, classes, weights = self._known(logits, patches)
        loss = focal_loss(known, classes, weights, s.gamma)
        (loss * self.scale).backward()
        self.optimiser.step()
        return float(loss.detach()), float(weights.sum())

    def _input(self, images: list[NDArray[np.uint8]]) -> Tensor:
        stacked = torch.from_numpy(np.stack(images)[:, None]).to(self.device)
        x = stacked.float() / 255.0
        return x.to(memory_format=torch.channels_last_3d)

    def _precision(self) -> Any:
        if self.device.type == "cuda" and self.settings.mixed_precision:
            return torch.autocast("cuda", dtype=torch.bfloat16)
        return nullcontext()

    def _known(self, logits: Tensor, patches: list[Patch]) -> tuple[Tensor, Tensor, Tensor]:
        """Logits, classes and weights of the known voxels of a batch."""
        known = at_known(logits, [p.known for p in patches])
        classes = torch.from_numpy(np.concatenate([p.classes for p in patches]))
        weights = torch.from_numpy(np.concatenate([p.weights for p in patches]))
        return known, classes.to(self.device), weights.to(self.device)

    @torch.no_grad()
    def _validate(self, labels: SparseLabels) -> dict[str, float]:
        """Loss, Dice of the foreground and accuracy on fixed windows."""
        self.network.eval()
        loss = weight = right = both = either = count = 0.0
        for start in fixed_windows(labels, self.patch, VALIDATION_WINDOWS):
            which, local = labels.inside(start, self.patch)
            if not len(which):
                continue
            patch = Patch(
                cut_out(self.data, start, self.patch),
                local,
                labels.classes[which],
                labels.weights[which],
            )
            with self._precision():
                logits = self.network(self._input([patch.image]))
            known, classes, weights = self._known(logits, [patch])
            loss += float(focal_loss(known, classes, weights, self.settings.gamma))
            weight += float(weights.sum())
            found = known.argmax(1) if known.shape[1] > 1 else (known[:, 0] > 0).long()
            right += float((found == classes).sum())
            both += float(((found > 0) & (classes > 0)).sum())
            either += float((found > 0).sum() + (classes > 0).sum())
            count += len(which)
        return {
            "validation_loss": loss / weight,
            "validation_dice": 2 * both / either if either else float("nan"),
            "validation_accuracy": right / count,
        }


def _hash(labels: SparseLabels) -> str:
    hashed = hashlib.sha256(str(labels.shape).encode())
    for array in (labels.voxels, labels.classes, labels.weights):
        hashed.update(np.ascontiguousarray(array).tobytes())
    return hashed.hexdigest()


__all__ = ["VALIDATION_WINDOWS", "train_network"]
