"""Figures of a sample's results with their intervals: bands behind lines, whiskers on bars."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from napari_slagseg.liberation.figures import OKABE_ITO, STYLES


def _by(frame: pd.DataFrame, column: str) -> Iterator[tuple[int, str, pd.DataFrame]]:
    """Parts of a table by the values of a column, in their order, numbered."""
    for i, name in enumerate(frame[column].unique()):
        yield i, str(name), frame[frame[column] == name]


def nothing_to_show(axes: Axes, reason: str = "no values: see the warnings") -> None:
    """Say in the middle of empty axes that there is nothing."""
    axes.text(0.5, 0.5, reason, ha="center", va="center", transform=axes.transAxes, color="0.5")
    axes.set_xticks([])
    axes.set_yticks([])


def line_with_band(axes: Axes, i: int, label: str, x: pd.Series, part: pd.DataFrame) -> None:
    """Draw a line with its interval as a band."""
    colour = OKABE_ITO[i % len(OKABE_ITO)]
    style = STYLES[i % len(STYLES)]
    axes.plot(x, part["value"], color=colour, linestyle=style, label=label)
    axes.fill_between(x, part["low"], part["high"], color=colour, alpha=0.2, linewidth=0)


def bars_with_whiskers(frame: pd.DataFrame, axes: Axes, classes: str, series: str) -> None:
    """Draw bars side by side, one colour a series, with intervals as whiskers."""
    frame = frame[np.isfinite(frame["value"])]
    if frame.empty:
        return nothing_to_show(axes)
    names = list(dict.fromkeys(frame[classes]))
    n = frame[series].nunique()
    width = 0.8 / n
    for i, name, part in _by(frame, series):
        at = np.array([names.index(c) for c in part[classes]]) + (i - (n - 1) / 2) * width
        below = np.nan_to_num(np.maximum(part["value"] - part["low"], 0))
        above = np.nan_to_num(np.maximum(part["high"] - part["value"], 0))
        axes.bar(at, part["value"], 0.92 * width, color=OKABE_ITO[i % len(OKABE_ITO)], label=name)
        axes.errorbar(
            at, part["value"], (below, above), fmt="none", ecolor="0.35", elinewidth=0.9, capsize=2
        )
    tilted = max(map(len, map(str, names))) * len(names) > 40
    axes.set_xticks(
        np.arange(len(names)),
        [str(c) for c in names],
        rotation=45 if tilted else 0,
        ha="right" if tilted else "center",
        fontsize="small",
    )
    axes.set_ylim(bottom=0)
    axes.legend(fontsize="small")
    return None


def plot_curves(frame: pd.DataFrame, by: str, axes: Axes) -> None:
    """Draw liberation curves with their bands."""
    for i, name, part in _by(frame[np.isfinite(frame["value"])], "sample"):
        line_with_band(axes, i, name, part["threshold"], part)
    if not axes.lines:
        return nothing_to_show(axes)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.02)
    axes.set_xlabel(f"{by.replace('_', ' ')} of at least")
    axes.set_ylabel("share of the target")
    axes.legend(fontsize="small")
    return None


def plot_shares(frame: pd.DataFrame, classes: str, axes: Axes) -> None:
    """Draw the share of the target in each class of volume liberation."""
    bars_with_whiskers(frame, axes, classes, "sample")
    axes.set_ylabel("share of the target")
    axes.set_xlabel("volume liberation")


def plot_by_size(frame: pd.DataFrame, axes: Axes) -> None:
    """Draw the mean liberation of each size class."""
    sizes = [f"{a:g}–{b:g}" for a, b in zip(frame["lower_um"], frame["upper_um"])]
    bars_with_whiskers(frame.assign(size=sizes).sort_values("lower_um"), axes, "size", "sample")
    axes.set_xlabel("equivalent diameter (um)")
    axes.set_ylabel("mean volume liberation")


def plot_modal(frame: pd.DataFrame, axes: Axes) -> None:
    """Draw the modal mineralogy."""
    many = frame["sample"].nunique() > 1
    series = frame["sample"] + ", " + frame["basis"] if many else frame["basis"]
    bars_with_whiskers(frame.assign(series=series), axes, "phase", "series")
    axes.set_ylabel("share of the particles")


__all__ = [
    "bars_with_whiskers",
    "line_with_band",
    "nothing_to_show",
    "plot_by_size",
    "plot_curves",
    "plot_modal",
    "plot_shares",
]
