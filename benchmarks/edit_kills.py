"""Kill an editing process at random moments; every acknowledged edit must be there afterwards.

    python -m benchmarks.edit_kills [--kills 200] [--seed 0]

A child process opens the history of a small volume and edits, undoes and redoes at random,
writing the number of steps in the journal into a pipe after each. It is killed
(SIGKILL) at a random moment: while it starts, or some milliseconds into its work. Then the
history is opened again: it must hold every acknowledged step and at most one more, and the
arrays must equal those of the same steps on plain arrays in memory, bit for bit. The next
child goes on from there.

The child stores the edited chunks after every few steps, in a thread, so that kills come while
they are written; those that it left are what the history is opened from.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import signal
import tempfile
import time
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from napari_slagseg.data import Action, EditedVolume, delta_between
from napari_slagseg.project.edits import EditJournal, History
from napari_slagseg.project.lock import ProjectLock

SHAPE = (96, 100, 130)
STORE_EVERY = 3
"""Steps after which the child stores the edited chunks."""

STARTING = 0.2
"""Share of the kills that come as the child opens the history or does its first step."""


def base() -> dict[str, np.ndarray]:
    """Labels as segmented: blocks of 16^3 voxels, each a particle."""
    z, y, x = np.indices(SHAPE) // 16
    labels = (z * 64 + y * 8 + x + 1).astype(np.uint32)
    return {"particles": labels, "phases": (labels % 5).astype(np.uint8)}


def opened(folder: Path, lock: ProjectLock | None = None) -> History:
    """History of the folder over fresh volumes; to be written to if a lock is given."""

    def require_lock() -> None:
        if lock is None or not lock.held:
            raise RuntimeError("the lock is not held")

    volumes = {name: EditedVolume(array, name) for name, array in base().items()}
    journal = EditJournal(folder / "edits" / "journal.slg")
    return History(
        journal, volumes, require_lock=require_lock, largest_label=1000, store_every=STORE_EVERY
    )


def planned(number: int, seed: int) -> tuple[str, tuple[slice, ...], int, np.ndarray]:
    """What step `number` does: undo, redo or edit; where; with which label; on which voxels."""
    chance = np.random.default_rng((seed, number))
    kind = chance.choice(["edit", "undo", "undo", "redo"])
    edges = chance.integers(1, 60, 3)
    start = [int(chance.integers(0, n - e + 1)) for n, e in zip(SHAPE, edges)]
    box = tuple(slice(a, a + int(e)) for a, e in zip(start, edges))
    return str(kind), box, 2000 + number, chance.random(edges) < 0.5


def edited(
    arrays: dict[str, np.ndarray], box: tuple[slice, ...], label: int, where: np.ndarray
) -> Action:
    """The action of a step upon arrays, which stay as they are."""
    deltas = []
    for name, value in (("particles", label), ("phases", label % 5)):
        before = np.asarray(arrays[name][box])
        after = np.where(where, value, before).astype(before.dtype)
        deltas.append(delta_between(name, tuple(s.start for s in box), before, after))
    return Action("paint", {"label": label}, tuple(deltas))


def steps_in(history: History) -> int:
    """Steps that the journal holds."""
    return sum(1 for _ in history.journal.records()) if history.journal.exists else 0


def work(folder: Path, seed: int, says: Connection) -> None:
    """Edit until killed; what the child process does."""
    lock = ProjectLock(folder)
    lock.acquire()
    history = opened(folder, lock)
    history.recover()
    number = steps_in(history)
    while True:
        # a step that has nothing to undo or redo becomes an edit, so that each is a record
        kind, box, label, where = planned(number, seed)
        stepped = () if kind == "edit" else history.undo() if kind == "undo" else history.redo()
        if not stepped:
            history.do(edited(history.volumes, box, label, where))
        number += 1
        os.write(says.fileno(), f"{number}\n".encode())


@dataclass
class Expected:
    """The same steps, kept as numbers and replayed on plain arrays."""

    seed: int
    done: list[int] = field(default_factory=list)
    undone: list[int] = field(default_factory=list)
    steps: int = 0

    def step(self) -> None:
        """Do the next step."""
        kind = planned(self.steps, self.seed)[0]
        if kind == "undo" and self.done:
            self.undone.append(self.done.pop())
        elif kind == "redo" and self.undone:
            self.done.append(self.undone.pop())
        else:
            self.done.append(self.steps)
            self.undone.clear()
        self.steps += 1

    def arrays(self) -> dict[str, np.ndarray]:
        """The labels after all steps."""
        arrays = base()
        for number in self.done:
            _, box, label, where = planned(number, self.seed)
            arrays["particles"][box][where] = label
            arrays["phases"][box][where] = label % 5
        return arrays


@dataclass(frozen=True)
class Round:
    """What came of one kill.

    Attributes
    ----------
    acknowledged, found : int
        Steps that the child had acknowledged, and those that the journal holds.
    cut : int
        Bytes of a half-written record.
    stored : bool
        Whether opening began with stored chunks.
    """

    acknowledged: int
    found: int
    cut: int
    stored: bool


def kill_once(folder: Path, seed: int, chance: random.Random, before: int) -> Round:
    """Start a child, kill it, and see what is there."""
    # children of a server that has loaded the program start in no time
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["napari_slagseg.project.edits"])
    hears, says = context.Pipe(duplex=False)
    process = context.Process(target=work, args=(folder, seed, says))
    process.start()
    says.close()
    if chance.random() < STARTING:
        time.sleep(chance.uniform(0, 0.2))
        first = b""
    else:
        first = os.read(hears.fileno(), 1 << 16)
        time.sleep(chance.uniform(0, 0.1))
    process.kill()
    process.join()
    lines = first.decode()
    while part := os.read(hears.fileno(), 1 << 16):
        lines += part.decode()
    hears.close()
    if process.exitcode != -signal.SIGKILL:
        raise SystemExit(f"the child ended by itself with {process.exitcode}")
    acknowledged = int(lines.split()[-1]) if lines else before
    history = opened(folder)
    size = history.journal.size if history.journal.exists else 0
    whole = history.journal.whole_size() if history.journal.exists else 0
    steps = steps_in(history)
    return Round(acknowledged, steps, size - whole, history.unstored < steps)


def run(folder: Path, kills: int, seed: int) -> list[Round]:
    """Kill again and again; every round is checked.

    Raises
    ------
    AssertionError
        If an acknowledged step is lost, or an array is not as it should be.
    """
    chance, expected, rounds = random.Random(seed), Expected(seed), []
    for _ in range(kills):
        rounds.append(kill_once(folder, seed, chance, expected.steps))
        acknowledged, found = rounds[-1].acknowledged, rounds[-1].found
        if not acknowledged <= found <= acknowledged + 1:
            raise AssertionError(f"{acknowledged} steps acknowledged, {found} found")
        while expected.steps < found:
            expected.step()
        arrays = expected.arrays()
        for name, volume in opened(folder).volumes.items():
            if not np.array_equal(volume[...], arrays[name]):
                raise AssertionError(f"the {name} differ after {found} steps")
    return rounds


def main(argv: list[str] | None = None) -> None:
    """Kill, and say what was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as place:
        rounds = run(Path(place), args.kills, args.seed)
    print(
        f"{len(rounds)} kills, {rounds[-1].found} steps: none lost, all arrays as they should be; "
        f"{sum(r.found > r.acknowledged for r in rounds)} times the step in hand was on disk but "
        f"not yet acknowledged, {sum(r.cut > 0 for r in rounds)} times a record was half written; "
        f"{sum(r.stored for r in rounds)} times stored chunks were there to begin with"
    )


if __name__ == "__main__":
    main()
