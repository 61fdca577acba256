"""What the dock says of the chosen particles."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_slagseg.data import SlagsegError

if TYPE_CHECKING:
    from napari_slagseg.widgets.proofreading.desk import Desk


def chosen_in_words(desk: Desk) -> str:
    """Number, size and state of the chosen particle; of several their number."""
    proofreader, chosen, project = desk.proofreader, desk.chosen, desk.session.project
    if proofreader is None or project is None or not chosen:
        return "No particle is chosen."
    if len(chosen) > 1:
        some = ", ".join(str(n) for n in chosen[:6])
        return f"<b>{len(chosen)} particles</b> are chosen: {some}{'…' if len(chosen) > 6 else ''}"
    label = chosen[0]
    try:
        box = proofreader.box_of(label)
    except SlagsegError:
        return f"Particle {label} is gone."
    sides = [(b.stop - b.start) * s for b, s in zip(box, project.voxel_size_um)]
    size = " × ".join(f"{side:.3g}" for side in sides)
    states = [
        word
        for word, labels in (("locked", proofreader.locked()), ("edited", proofreader.edited()))
        if label in labels
    ]
    state = f", {' and '.join(states)}" if states else ""
    return f"<b>Particle {label}</b>: {size} µm{state}"


__all__ = ["chosen_in_words"]
