"""Figures of a sample's results with their intervals: bands behind lines, whiskers on bars."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, NullFormatter

from napari_slagseg.liberation.bars_and_bands import (
    bars_with_whiskers,
    line_with_band,
    nothing_to_show,
    parts_of,
)
from napari_slagseg.liberation.curves import LiberationCurve
from napari_slagseg.liberation.figures import OKABE_ITO, plot_liberation


def plot_curves(bands: pd.DataFrame, exact: Sequence[LiberationCurve], by: str, axes: Axes) -> None:
    """Draw liberation curves, exact in every step, in front of their bands."""
    for i, curve in enumerate(exact):
        part = bands[bands["sample"] == curve.label]
        colour = OKABE_ITO[i % len(OKABE_ITO)]
        axes.fill_between(
            part["threshold"], part["low"], part["high"], color=colour, alpha=0.2, linewidth=0
        )
    plot_liberation(exact, axes, by.replace("_", " "))
    if not axes.lines:
        nothing_to_show(axes)


def plot_shares(frame: pd.DataFrame, classes: str, by: str, axes: Axes) -> None:
    """Draw the share of the target in each class of liberation."""
    bars_with_whiskers(frame, axes, classes, "sample")
    axes.set_ylabel("share of the target")
    axes.set_xlabel(by.replace("_", " "))


def plot_by_size(frame: pd.DataFrame, by: str, axes: Axes) -> None:
    """Draw the mean liberation of each size class."""
    sizes = [f"{a:g}–{b:g}" for a, b in zip(frame["lower_um"], frame["upper_um"])]
    bars_with_whiskers(frame.assign(size=sizes).sort_values("lower_um"), axes, "size", "sample")
    axes.set_xlabel("equivalent diameter (um)")
    axes.set_ylabel(f"mean {by.replace('_', ' ')}")


def plot_modal(frame: pd.DataFrame, axes: Axes) -> None:
    """Draw the modal mineralogy."""
    many = frame["sample"].nunique() > 1
    series = frame["sample"] + ", " + frame["basis"] if many else frame["basis"]
    bars_with_whiskers(frame.assign(series=series), axes, "phase", "series")
    axes.set_ylabel("share of the particles")


def plot_scatter(frame: pd.DataFrame, axes: Axes) -> None:
    """Draw surface against volume liberation, larger marks for more target (K Fig. 9)."""
    if frame.empty:
        return nothing_to_show(axes)
    for i, name, part in parts_of(frame, "sample"):
        largest = part["target"].max() or 1.0
        axes.scatter(
            part["volume_liberation"],
            part["surface_liberation"],
            s=3 + 60 * part["target"] / largest,
            color=OKABE_ITO[i % len(OKABE_ITO)],
            alpha=0.4,
            linewidths=0,
            label=name,
        )
    axes.plot([0, 1], [0, 1], color="0.5", linewidth=0.8)
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.02)
    axes.set_xlabel("volume liberation")
    axes.set_ylabel("surface liberation")
    axes.legend(fontsize="small")
    return None


def plot_locking(frame: pd.DataFrame, axes: Axes) -> None:
    """Draw the share of the target that is liberated, in binary and in ternary+ particles."""
    alone = frame["partner"] == ""
    names = frame["state"].where(alone, frame["state"] + ", " + frame["partner"])
    bars_with_whiskers(frame.assign(named=names), axes, "named", "sample")
    axes.set_ylabel("share of the target")


def plot_association(frame: pd.DataFrame, axes: Axes) -> None:
    """Draw with what the target shares its boundary."""
    bars_with_whiskers(frame[frame["is_target"].astype(bool)], axes, "partner", "sample")
    targets = frame.loc[frame["is_target"].astype(bool), "phase"].unique()
    axes.set_ylabel(f"share of the boundary of {targets[0]}" if len(targets) else "share")


def plot_association_matrix(frame: pd.DataFrame, axes: Axes) -> None:
    """Draw with what every phase shares its boundary: a row a phase, the rows are 1."""
    first = frame[frame["sample"] == frame["sample"].iloc[0]] if len(frame) else frame
    table = first.pivot_table(index="phase", columns="partner", values="value", sort=False)
    if table.empty or not np.isfinite(table.to_numpy(float)).any():
        return nothing_to_show(axes)
    named = [name for name in table.index if name in table.columns]
    table = table[[*named, *(name for name in table.columns if name not in named)]]
    shares = table.to_numpy(dtype=np.float64)
    axes.imshow(shares, cmap="cividis", vmin=0, vmax=1, aspect="auto")
    for (i, k), value in np.ndenumerate(shares):
        if np.isfinite(value):
            colour = "black" if value > 0.5 else "white"
            axes.text(k, i, f"{value:.0%}", ha="center", va="center", color=colour, fontsize=7)
    axes.set_xticks(range(shares.shape[1]), list(map(str, table.columns)), rotation=45, ha="right")
    axes.set_yticks(range(shares.shape[0]), list(map(str, table.index)))
    axes.tick_params(labelsize="small")
    axes.set_xlabel("partner")
    return None


def plot_passing(frame: pd.DataFrame, what: str, series: str, axes: Axes) -> None:
    """Draw cumulative size distributions with their bands, on a logarithmic axis."""
    frame = frame[np.isfinite(frame["passing"].astype(float))]
    for i, name, part in parts_of(frame, series):
        passing = part.drop(columns=["value", "low", "high"]).rename(
            columns={"passing": "value", "passing_low": "low", "passing_high": "high"}
        )
        line_with_band(axes, i, name, passing["upper_um"], passing)
    if not axes.lines:
        return nothing_to_show(axes, "not measured")
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_ylim(0, 1.02)
    axes.set_xlabel(f"{what} (um)")
    axes.set_ylabel("share passing")
    axes.legend(fontsize="small")
    return None


def plot_size_classes(frame: pd.DataFrame, axes: Axes) -> None:
    """Draw the share of each class of equivalent diameter, by volume."""
    sizes = [f"{a:g}–{b:g}" for a, b in zip(frame["lower_um"], frame["upper_um"])]
    named = frame.assign(classes=sizes).sort_values("lower_um", kind="stable")
    bars_with_whiskers(named, axes, "classes", "sample")
    axes.set_xlabel("equivalent diameter (um)")
    axes.set_ylabel("share of the particles")


def plot_percentiles(frame: pd.DataFrame, axes: Axes) -> None:
    """Draw D10, D50, P80 and D90 of every size of the particles."""
    named = frame.assign(named=frame["size"].str.replace("_um", "").str.replace("_", " "))
    bars_with_whiskers(named, axes, "named", "percentile")
    axes.set_ylabel("size (um)")


def plot_grade_recovery(frame: pd.DataFrame, axes: Axes) -> None:
    """Draw the theoretical grade-recovery curve with its band."""
    for i, name, part in parts_of(frame[np.isfinite(frame["value"])], "sample"):
        line_with_band(axes, i, f"{name}, by {part['basis'].iloc[0]}", part["recovery"], part)
    if not axes.lines:
        return nothing_to_show(axes)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.02)
    axes.set_xlabel("recovery of the target")
    axes.set_ylabel("grade of the concentrate")
    axes.legend(fontsize="small")
    return None


def plot_density_classes(frame: pd.DataFrame, axes: Axes) -> None:
    """Draw yield and target recovery of each density class."""
    if not np.isfinite(frame["lower_g_cm3"].astype(float)).any():
        return nothing_to_show(axes, "no densities: see the warnings")
    frame = frame[frame["quantity"] != "target grade"]
    frame = frame[np.isfinite(frame["lower_g_cm3"])].sort_values("lower_g_cm3", kind="stable")
    classes = [f"{a:g}–{b:g}" for a, b in zip(frame["lower_g_cm3"], frame["upper_g_cm3"])]
    many = frame["sample"].nunique() > 1
    series = frame["sample"] + ", " + frame["quantity"] if many else frame["quantity"]
    bars_with_whiskers(frame.assign(classes=classes, series=series), axes, "classes", "series")
    axes.set_xlabel("density (g/cm3)")
    axes.set_ylabel("share")
    return None


def plot_assay(frame: pd.DataFrame, axes: Axes) -> None:
    """Draw the calculated assay."""
    if frame.empty:
        return nothing_to_show(axes, "no formulae given")
    bars_with_whiskers(frame, axes, "element", "sample")
    axes.set_ylabel("mass share")
    return None


def plot_element_distribution(frame: pd.DataFrame, axes: Axes) -> None:
    """Draw which phases carry each element, as bars that are 1 together."""
    if frame.empty:
        return nothing_to_show(axes, "no formulae given")
    first = frame[frame["sample"] == frame["sample"].iloc[0]]
    table = first.pivot_table(index="element", columns="phase", values="value", sort=False)
    table = table.loc[:, (table > 0).any()]
    if table.empty:
        return nothing_to_show(axes)
    below = np.zeros(len(table))
    for i, phase in enumerate(table.columns):
        values = np.nan_to_num(table[phase].to_numpy(dtype=np.float64))
        colour = OKABE_ITO[i % len(OKABE_ITO)]
        hatch = "" if i < len(OKABE_ITO) else "//"
        axes.bar(list(table.index), values, bottom=below, color=colour, label=phase, hatch=hatch)
        below += values
    axes.set_ylim(0, 1)
    axes.set_ylabel("share of the element")
    axes.legend(fontsize="small")
    return None


def plot_convergence(frame: pd.DataFrame, axes: Axes) -> None:
    """Draw mean liberation and target share against the number of particles."""
    names = ("mean volume liberation", "mean surface liberation", "target share by volume")
    first = frame[frame["sample"] == frame["sample"].iloc[0]] if len(frame) else frame
    first = first[first["quantity"].isin(names) & np.isfinite(first["value"].astype(float))]
    for i, name, part in parts_of(first, "quantity"):
        line_with_band(axes, i, name, part["n_particles"], part)
    if not axes.lines:
        return nothing_to_show(axes)
    axes.set_xscale("log")
    axes.set_ylim(0, 1.02)
    axes.set_xlabel("particles taken, in random order")
    axes.set_ylabel("share")
    axes.legend(fontsize="small")
    return None


def plot_border(frame: pd.DataFrame, axes: Axes) -> None:
    """Draw the shares of the summary with each way to treat particles at the border."""
    first = frame[frame["sample"] == frame["sample"].iloc[0]] if len(frame) else frame
    bars_with_whiskers(first[first["unit"] == "share"], axes, "quantity", "border")
    axes.set_ylabel("share")


__all__ = [
    "bars_with_whiskers",
    "line_with_band",
    "nothing_to_show",
    "plot_assay",
    "plot_association",
    "plot_association_matrix",
    "plot_border",
    "plot_by_size",
    "plot_convergence",
    "plot_curves",
    "plot_density_classes",
    "plot_element_distribution",
    "plot_grade_recovery",
    "plot_locking",
    "plot_modal",
    "plot_passing",
    "plot_percentiles",
    "plot_scatter",
    "plot_shares",
    "plot_size_classes",
]
