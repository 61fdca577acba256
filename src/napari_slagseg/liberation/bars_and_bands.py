"""How values with intervals are drawn: bands behind lines, whiskers on bars."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from napari_slagseg.liberation.figures import OKABE_ITO, STYLES


def parts_of(frame: pd.DataFrame, column: str) -> Iterator[tuple[int, str, pd.DataFrame]]:
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
    for i, name, part in parts_of(frame, series):
        at = np.array([names.index(c) for c in part[classes]]) + (i - (n - 1) / 2) * width
        axes.bar(at, part["value"], 0.92 * width, color=OKABE_ITO[i % len(OKABE_ITO)], label=name)
        # where there is no interval there is no whisker, not one of no length
        known = np.isfinite(part["low"].to_numpy(float))
        value, low, high = (part[name].to_numpy(float)[known] for name in ("value", "low", "high"))
        reach = (np.maximum(value - low, 0), np.maximum(high - value, 0))
        axes.errorbar(at[known], value, reach, fmt="none", ecolor="0.35", elinewidth=0.9, capsize=2)
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


__all__ = ["bars_with_whiskers", "line_with_band", "nothing_to_show", "parts_of"]
