"""From a tool and what was placed for it to the edit that the proofreader does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_slagseg.data import SlagsegError, Triple
from napari_slagseg.workflow.proofreading import Proofreader

Edit = Callable[[], object]


def edit_of_chosen(
    name: str, proofreader: Proofreader, chosen: Sequence[int], options: Mapping[str, Any]
) -> Edit:
    """What the tools do that need nothing but chosen particles; several are one step.

    Raises
    ------
    SlagsegError
        If none is chosen.
    """
    labels = list(chosen)
    if not labels:
        raise SlagsegError("No particle is chosen; click one, or Shift+click several.")

    def each(edit: Callable[[int], object]) -> Edit:
        def all_of_them() -> None:
            refused = []
            with proofreader.history.group():
                for label in labels:
                    try:
                        edit(label)
                    except SlagsegError as error:  # one without holes: the others have some
                        refused.append(error)
            if len(refused) == len(labels):
                raise refused[0]

        return all_of_them if len(labels) > 1 else lambda: edit(labels[0])

    if name == "delete":
        return lambda: proofreader.delete(labels)
    if name == "lock":
        on = not set(labels) <= proofreader.locked()
        return lambda: proofreader.lock(labels, on)
    if name == "fill":
        most = int(options["largest"]) or None
        return each(lambda label: proofreader.fill_holes(label, most))
    if name == "smooth":
        return each(lambda label: proofreader.smooth(label, float(options["voxels"])))
    raise ValueError(name)


def edit_of_placed(
    name: str,
    proofreader: Proofreader,
    chosen: Sequence[int],
    placed: Sequence[Triple],
    across: int | None,
    options: Mapping[str, Any],
) -> Edit:
    """What the tools do for which points, strokes or clicks were placed.

    Raises
    ------
    SlagsegError
        If a stroke meets no particle.
    """
    voxels = list(placed)
    if name == "split":
        return lambda: proofreader.split(chosen[0], voxels)
    if name == "split_by_stroke":
        label = chosen[0] if len(chosen) == 1 else _most_met(proofreader, voxels)
        return lambda: proofreader.split_by_stroke(label, voxels, across)
    if name == "merge":
        return lambda: proofreader.merge(chosen, apart=bool(options["apart"]))
    if name == "grow":
        return lambda: proofreader.grow(
            voxels[0],
            radius=float(options["radius"]),
            tolerance=float(options["tolerance"]) or None,
            phase=options["phase"],
        )
    if name == "relabel_region":
        return lambda: proofreader.relabel_region(voxels[0], int(options["phase"]))
    raise ValueError(name)


def edit_of_mask(
    name: str,
    proofreader: Proofreader,
    chosen: Sequence[int],
    start: Triple,
    mask: NDArray[np.bool_],
    options: Mapping[str, Any],
) -> Edit:
    """What the tools do for which a mask was painted."""
    if name == "add":
        label = chosen[0] if options["to_chosen"] and len(chosen) == 1 else None
        return lambda: proofreader.add_painted(
            start,
            mask,
            phase=options["phase"],
            label=label,
            overwrite=bool(options["overwrite"]),
        )
    if name == "relabel":
        only = chosen[0] if options["only_chosen"] and len(chosen) == 1 else None
        return lambda: proofreader.relabel_painted(start, mask, int(options["phase"]), only)
    raise ValueError(name)


def _most_met(proofreader: Proofreader, voxels: Sequence[Triple]) -> int:
    """Particle that most voxels of a stroke lie in."""
    met = Counter(label for label in map(proofreader.label_at, voxels) if label)
    if not met:
        raise SlagsegError("The stroke lies in the background; draw it through a particle.")
    return met.most_common(1)[0][0]


__all__ = ["edit_of_chosen", "edit_of_mask", "edit_of_placed"]
