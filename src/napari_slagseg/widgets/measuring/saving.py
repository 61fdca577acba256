"""Plots saved as pictures, with their numbers beside them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
from napari.utils.notifications import show_error, show_info
from qtpy.QtWidgets import QFileDialog, QPushButton, QWidget

from napari_slagseg import io
from napari_slagseg.data import SlagsegError
from napari_slagseg.liberation.figures import draw_figure

Saved = tuple[str, Callable[[Any], Any], pd.DataFrame | None]
"""Name of a plot, what draws it on given axes, and its data."""

_KINDS = ("png", "svg", "pdf")
_FILTER = "PNG (*.png);;SVG (*.svg);;PDF (*.pdf)"


def save_plot(
    path: str | Path, draw: Callable[[Any], Any], data: pd.DataFrame | None
) -> tuple[Path, ...]:
    """Write a plot on white paper, and its data as CSV of the same name.

    Returns
    -------
    The files that were written.

    Raises
    ------
    SlagsegError
        If the suffix is no kind of picture, or the disk does not take the files.
    """
    path = Path(path)
    if path.suffix[1:].lower() not in _KINDS:
        raise SlagsegError(
            f"{path.name} is no name for a plot; let it end with .png, .svg or .pdf."
        )
    try:
        io.write_figure(draw_figure(draw), path)
        if data is None:
            return (path,)
        io.write_frame(path.with_suffix(".csv"), data)
    except OSError as error:
        raise SlagsegError(f"{path} could not be written: {error.strerror or error}.") from error
    return path, path.with_suffix(".csv")


def save_button(parent: QWidget, what: Callable[[], Saved | None]) -> QPushButton:
    """Button that asks where to, and saves what it is told."""
    button = QPushButton("Save…", parent)
    button.setToolTip("as PNG, SVG or PDF, with the data as CSV beside it")

    def save() -> None:
        found = what()
        if found is None:
            show_error("There is no plot yet: measure first.")
            return
        name, draw, data = found
        path, _ = QFileDialog.getSaveFileName(parent, "Save plot", f"{name}.png", _FILTER)
        if not path:
            return
        try:
            written = save_plot(path, draw, data)
        except SlagsegError as error:
            show_error(str(error))
            return
        show_info(f"Saved {' and '.join(p.name for p in written)} in {written[0].parent}.")

    button.clicked.connect(save)
    return button


__all__ = ["Saved", "save_button", "save_plot"]
