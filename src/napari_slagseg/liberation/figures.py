"""Figures of liberation and size, drawn on given axes; no global state of matplotlib."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from napari_slagseg.liberation.curves import LiberationCurve
from napari_slagseg.liberation.sizes import size_edges

OKABE_ITO = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9")
"""Colours that colour-blind readers tell apart."""

STYLES = ("-", "--", "-.", ":")
"""Dashes of lines, beside their colours."""


def plot_liberation(
    curves: Sequence[LiberationCurve], axes: Axes, what: str = "liberation"
) -> None:
    """Draw liberation curves; each is told apart by colour and by dashes."""
    for i, curve in enumerate(c for c in curves if len(c.values)):
        x, y = curve.steps()
        axes.step(
            x,
            y,
            where="pre",
            color=OKABE_ITO[i % len(OKABE_ITO)],
            linestyle=STYLES[i % len(STYLES)],
            label=f"{curve.label} (n = {curve.n_particles:,})",
        )
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.02)
    axes.set_xlabel(f"{what} of at least")
    axes.set_ylabel("share of the target")
    if axes.get_legend_handles_labels()[1]:
        axes.legend(fontsize="small")


def plot_size_by_liberation(classes: pd.DataFrame, axes: Axes) -> None:
    """Draw volume and surface liberation of each size class as bars."""
    used = classes[classes["n_particles"] > 0]
    at = np.arange(len(used))
    for i, (name, label) in enumerate(
        (("volume_liberation", "volume"), ("surface_liberation", "surface"))
    ):
        axes.bar(at + (i - 0.5) * 0.38, used[name], 0.36, color=OKABE_ITO[i], label=label)
    axes.set_xticks(
        at,
        [f"{a:g}–{b:g}" for a, b in zip(used["lower_um"], used["upper_um"])],
        rotation=45,
        ha="right",
        fontsize="small",
    )
    axes.set_ylim(0, 1)
    axes.set_xlabel("equivalent diameter (um)")
    axes.set_ylabel("mean liberation")
    if len(used):
        axes.legend(fontsize="small")


def plot_size_distribution(frame: pd.DataFrame, axes: Axes) -> None:
    """Draw shares of number and of volume by size class."""
    diameter = frame["equivalent_diameter_um"].to_numpy(float)
    if not len(diameter):
        axes.set_xlabel("equivalent diameter (um)")
        return
    edges = np.asarray(size_edges(float(diameter.max())))
    size = "volume_um3" if "volume_um3" in frame else "area_um2"
    by_number, _ = np.histogram(diameter, edges)
    by_volume, _ = np.histogram(diameter, edges, weights=frame[size].to_numpy(float))
    for i, (values, label) in enumerate(((by_number, "number"), (by_volume, size.split("_")[0]))):
        axes.stairs(values / values.sum(), edges, color=OKABE_ITO[i], label=label, linewidth=1.8)
    axes.set_xlim(0, edges[-1])
    axes.set_xlabel("equivalent diameter (um)")
    axes.set_ylabel("share of particles")
    axes.legend(fontsize="small")


def plot_liberation_scatter(frame: pd.DataFrame, axes: Axes) -> None:
    """Draw surface against volume liberation, larger marks for larger particles (K Fig. 9)."""
    size = "volume_um3" if "volume_um3" in frame else "area_um2"
    amount = frame[size].to_numpy(float)
    largest = amount.max(initial=0.0) or 1.0
    axes.scatter(
        frame["volume_liberation"],
        frame["surface_liberation"],
        s=4 + 60 * amount / largest,
        color=OKABE_ITO[0],
        alpha=0.4,
        linewidths=0,
    )
    axes.plot([0, 1], [0, 1], color="0.5", linewidth=0.8)
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.02)
    axes.set_xlabel("volume liberation")
    axes.set_ylabel("surface liberation")


def draw_figure(draw: Callable[[Axes], None]) -> Figure:
    """Figure of one plot."""
    figure = Figure(figsize=(6.0, 4.2), layout="constrained")
    draw(figure.add_subplot())
    return figure


__all__ = [
    "OKABE_ITO",
    "STYLES",
    "draw_figure",
    "plot_liberation",
    "plot_liberation_scatter",
    "plot_size_by_liberation",
    "plot_size_distribution",
]
