"""Figures of liberation and size, on axes that the caller owns.

Nothing here touches pyplot: figures are plain `matplotlib.figure.Figure`
objects, so they can be drawn in a dock, in a test or without a display.
Colours are those of Okabe & Ito; line styles differ too, for print in grey.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from napari_slagseg.liberation.curves import ERODED, SURFACE, VOLUME, LiberationCurve
from napari_slagseg.liberation.results import IN_3D, IN_MAPS, IN_SECTIONS, LiberationResults
from napari_slagseg.liberation.sizes import size_distribution

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BLUE, VERMILION, GREEN, ORANGE, SKY, PURPLE = (
    "#0072b2",
    "#d55e00",
    "#009e73",
    "#e69f00",
    "#56b4e9",
    "#cc79a7",
)
"""Colour-blind-safe colours of Okabe & Ito."""

_STYLE = {IN_3D: (BLUE, 2.2), IN_SECTIONS: (VERMILION, 1.6), IN_MAPS: (GREEN, 1.6)}
_OTHERS = (ORANGE, PURPLE, SKY)
_KIND = {
    VOLUME: "volume liberation",
    SURFACE: "surface liberation",
    ERODED: "surface liberation, eroded",
}


def _plain(axes: Axes) -> None:
    axes.spines["top"].set_visible(False)
    axes.spines["right"].set_visible(False)
    axes.grid(visible=True, color="0.5", alpha=0.25, linewidth=0.6)
    axes.set_axisbelow(True)


def _say_empty(axes: Axes, words: str) -> None:
    axes.text(0.5, 0.5, words, ha="center", va="center", transform=axes.transAxes)


def plot_liberation(
    curves: Iterable[LiberationCurve], ax: Axes, *, target: str = "target phase"
) -> None:
    """Draw liberation curves (K Fig. 10, 11); eroded ones dotted, as there.

    Parameters
    ----------
    curves : iterable of LiberationCurve
    ax : Axes
    target : str
        Name of the target phase, for the axis.
    """
    _plain(ax)
    others = iter(_OTHERS * 10)
    chosen: dict[str, str] = {}
    kinds: list[str] = []
    drawn = 0
    for curve in curves:
        tau, values = curve.steps()
        if curve.kind not in kinds:
            kinds.append(curve.kind)
        if not len(tau):
            continue
        colour, width = _STYLE.get(curve.label, ("", 1.6))
        colour = colour or chosen.setdefault(curve.label, next(others))
        name = curve.label or _KIND.get(curve.kind, curve.kind)
        ax.plot(
            tau,
            values,
            color=colour,
            linewidth=width,
            linestyle=":"
            if curve.kind == ERODED
            else ("--" if curve.label == IN_SECTIONS else "-"),
            label=f"{name}, eroded" if curve.kind == ERODED else name,
        )
        drawn += 1
    words = {_KIND.get(kind, kind) for kind in kinds if kind != ERODED}
    what = words.pop() if len(words) == 1 else "liberation"
    ax.set_xlim(0, 1)
    ax.set_ylim(0, 1.02)
    ax.set_xlabel(f"{what} of the particle, threshold (-)")
    ax.set_ylabel(f"share of {target} in particles above (-)")
    if drawn:
        ax.legend(frameon=False, fontsize="small", loc="lower left")
    else:
        _say_empty(ax, "no target phase in the particles")


def plot_size_by_liberation(frame: pd.DataFrame, ax: Axes, *, target: str = "target phase") -> None:
    """Draw mean liberation by size class as bars (K Fig. 13, top).

    Parameters
    ----------
    frame : DataFrame
        From `size_by_liberation`, or `LiberationResults.size_table` with its ``kind``.
    ax : Axes
    target : str
    """
    _plain(ax)
    kinds = list(dict.fromkeys(frame["kind"])) if "kind" in frame.columns else [""]
    colours = {VOLUME: BLUE, SURFACE: ORANGE, ERODED: SKY}
    for i, kind in enumerate(kinds):
        rows = frame[frame["kind"] == kind] if kind else frame
        start = rows["from_um"].to_numpy(np.float64)
        width = (rows["to_um"].to_numpy(np.float64) - start) * 0.9 / len(kinds)
        ax.bar(
            start + 0.05 * width * len(kinds) + i * width,
            np.nan_to_num(rows["liberation"].to_numpy(np.float64)),
            width=width,
            align="edge",
            color=colours.get(kind, BLUE),
            label=_KIND.get(kind, None),
        )
    ax.set_ylim(0, 1.02)
    ax.set_xlabel("volume-equivalent diameter (µm)")
    ax.set_ylabel(f"mean liberation,\nweighted by {target} (-)")
    if kinds != [""]:
        # above the bars, as they may reach everywhere
        ax.legend(
            frameon=False, fontsize="small", loc="lower center", ncols=3, bbox_to_anchor=(0.5, 1.0)
        )


def plot_size_distribution(
    frame: pd.DataFrame, ax: Axes, *, edges_um: Sequence[float] | None = None
) -> None:
    """Draw the size distribution by number and by volume (K Fig. 6).

    Parameters
    ----------
    frame : DataFrame
        Rows of a `ParticleTable`, or a table from `size_distribution`.
    ax : Axes
    edges_um : sequence of float, optional
        Class edges, where `frame` holds particles.
    """
    _plain(ax)
    shares = frame if "number_share" in frame.columns else size_distribution(frame, edges_um)
    start = shares["from_um"].to_numpy(np.float64)
    width = (shares["to_um"].to_numpy(np.float64) - start) * 0.45
    in_2d = "area_um2" in frame.columns
    for i, (name, colour, words) in enumerate(
        (("number_share", SKY, "by number"), ("volume_share", BLUE, "by volume"))
    ):
        ax.bar(
            start + 0.1 * width + i * width,
            np.nan_to_num(shares[name].to_numpy(np.float64)) * 100,
            width=width,
            align="edge",
            color=colour,
            label="by area" if in_2d and i else words,
        )
    ax.set_xlabel(f"{'area' if in_2d else 'volume'}-equivalent diameter (µm)")
    ax.set_ylabel("share of the particles (%)")
    ax.legend(frameon=False, fontsize="small")


def plot_liberation_scatter(frame: pd.DataFrame, ax: Axes, *, by: str = SURFACE) -> None:
    """Draw volume against surface liberation (K Fig. 9); a dot's area is the particle's volume."""
    _plain(ax)
    name = "volume_um3" if "volume_um3" in frame.columns else "area_um2"
    size = frame[name].to_numpy(np.float64)
    largest = float(size.max()) if len(size) else 1.0
    ax.plot([0, 1], [0, 1], color="0.4", linewidth=0.8, zorder=1)
    ax.scatter(
        frame[VOLUME],
        frame[by],
        s=4 + 60 * size / largest,
        color=BLUE,
        alpha=0.5,
        linewidths=0,
        zorder=2,
    )
    ax.set_xlim(-0.02, 1.02)
    ax.set_ylim(-0.02, 1.02)
    ax.set_aspect("equal")
    ax.set_xlabel("volume liberation (-)")
    ax.set_ylabel(f"{_KIND.get(by, by)} (-)")


def figure_liberation(results: LiberationResults) -> Figure:
    """Liberation curves, volume on the left and surface on the right."""
    figure = Figure(figsize=(9.0, 4.2), layout="constrained", dpi=150)
    left, right = figure.subplots(1, 2, sharey=True)
    plot_liberation([c for c in results.curves if c.kind == VOLUME], left, target=results.target)
    plot_liberation([c for c in results.curves if c.kind != VOLUME], right, target=results.target)
    right.set_ylabel("")
    return figure


def figure_size_by_liberation(results: LiberationResults) -> Figure:
    """Liberation by size above, particles in each class below (K Fig. 13)."""
    figure = Figure(figsize=(6.5, 5.2), layout="constrained", dpi=150)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[2, 1])
    plot_size_by_liberation(results.size_table, above, target=results.target)
    above.set_xlabel("")
    _plain(below)
    start = results.distribution["from_um"].to_numpy(np.float64)
    width = results.distribution["to_um"].to_numpy(np.float64) - start
    below.bar(
        start + 0.05 * width,
        results.distribution["n_particles"],
        width=0.9 * width,
        align="edge",
        color="0.55",
    )
    below.set_ylabel("particles")
    below.set_xlabel("volume-equivalent diameter (µm)")
    return figure


def figure_size_distribution(results: LiberationResults) -> Figure:
    """Size distribution of the particles in 3D."""
    figure = Figure(figsize=(6.5, 4.0), layout="constrained", dpi=150)
    plot_size_distribution(results.distribution, figure.subplots())
    return figure


def figure_scatter(results: LiberationResults) -> Figure:
    """Volume against surface liberation of the particles in 3D."""
    figure = Figure(figsize=(4.6, 4.6), layout="constrained", dpi=150)
    by = ERODED if ERODED in results.particles.columns else SURFACE
    plot_liberation_scatter(results.particles, figure.subplots(), by=by)
    return figure


__all__ = [
    "figure_liberation",
    "figure_scatter",
    "figure_size_by_liberation",
    "figure_size_distribution",
    "plot_liberation",
    "plot_liberation_scatter",
    "plot_size_by_liberation",
    "plot_size_distribution",
]
