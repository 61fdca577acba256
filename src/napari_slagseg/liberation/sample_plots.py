"""The plots of a sample, by tab, each with the table that it shows."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import pandas as pd

from napari_slagseg.liberation import sample_figures as figures

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from napari_slagseg.liberation.sample_results import SampleResults

    Draw = Callable[[Axes], None]

FRAME_OF_PLOT = {
    "volume_liberation": "liberation_curves",
    "surface_liberation": "liberation_curves",
    "surface_liberation_eroded": "liberation_curves",
    "liberation_classes": "liberation_classes",
    "liberation_groups": "liberation_groups",
    "size_by_liberation": "size_by_liberation",
    "modal": "modal",
}
"""Name of the table that each plot shows."""


def plots_of(results: SampleResults) -> dict[str, dict[str, Draw]]:
    """Functions that draw each plot on given axes, by tab and name."""
    tables = results.tables
    found: dict[str, dict[str, Draw]] = {
        "liberation": {},
        "size": {},
        "association": {},
        "grade-recovery": {},
    }
    liberation = found["liberation"]
    for by in tables["liberation_curves"]["by"].unique():
        liberation[by] = partial(figures.plot_curves, _of(tables["liberation_curves"], by), by)
    for name in ("liberation_classes", "liberation_groups"):
        column = "liberation_class" if name == "liberation_classes" else "group"
        liberation[name] = partial(figures.plot_shares, _volume(tables[name]), column)
    liberation["size_by_liberation"] = partial(
        figures.plot_by_size, _volume(tables["size_by_liberation"])
    )
    found["association"]["modal"] = partial(figures.plot_modal, tables["modal"])
    return found


def _of(frame: pd.DataFrame, by: str) -> pd.DataFrame:
    return frame[frame["by"] == by]


def _volume(frame: pd.DataFrame) -> pd.DataFrame:
    return _of(frame, "volume_liberation")


__all__ = ["FRAME_OF_PLOT", "plots_of"]
