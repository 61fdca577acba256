"""Figures of stereology, drawn on given axes."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from napari_slagseg.liberation.sample_figures import line_with_band, nothing_to_show
from napari_slagseg.liberation.stereology.kernel import SectionKernel


def plot_curves(frame: pd.DataFrame, axes: Axes, by: str = "volume_liberation") -> None:
    """Draw liberation curves in 3D, in sections and corrected, with their bands."""
    part = frame[(frame["by"] == by) & np.isfinite(frame["value"])]
    if part.empty:
        nothing_to_show(axes)
        return
    for i, (label, one) in enumerate(part.groupby("sample", sort=False)):
        line_with_band(axes, i, str(label), one["threshold"], one)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.02)
    axes.set_xlabel(f"{by.replace('_', ' ')} of at least")
    axes.set_ylabel("share of the target")
    axes.legend(fontsize="small")


def plot_bias(frame: pd.DataFrame, axes: Axes, by: str = "volume_liberation") -> None:
    """Draw the ratio of 2D to 3D of every quantity, with its interval."""
    part = frame[(frame["by"] == by) & (frame["measure"] == "ratio")]
    part = part[np.isfinite(part["value"])]
    if part.empty:
        nothing_to_show(axes)
        return
    names = list(dict.fromkeys(part["quantity"]))
    labels = list(dict.fromkeys(part["sections"]))
    for i, label in enumerate(labels):
        one = part[part["sections"] == label]
        at = np.array([names.index(q) for q in one["quantity"]]) + 0.2 * (i - (len(labels) - 1) / 2)
        value = one["value"].to_numpy(float)
        ends = [
            np.nan_to_num(np.maximum(value - one["low"].to_numpy(float), 0)),
            np.nan_to_num(np.maximum(one["high"].to_numpy(float) - value, 0)),
        ]
        axes.errorbar(value, at, xerr=ends, fmt="os^d"[i % 4], capsize=3, label=label)
    axes.axvline(1.0, color="0.5", linewidth=0.8)
    axes.set_yticks(range(len(names)), names, fontsize="small")
    axes.invert_yaxis()
    axes.set_xlabel("sections over particles")
    axes.legend(fontsize="small")


def plot_kernel(kernel: SectionKernel, axes: Axes) -> None:
    """Draw the kernel of the first size class as a map."""
    n = kernel.classes.n_grades
    names = kernel.classes.names()
    picture = axes.imshow(
        kernel.matrix[:n, :n], origin="lower", vmin=0, vmax=1, cmap="cividis", aspect="auto"
    )
    axes.set_xticks(range(n), names, rotation=45, ha="right", fontsize="small")
    axes.set_yticks(range(n), names, fontsize="small")
    axes.set_xlabel("grade of the particle, %")
    axes.set_ylabel("grade of its section, %")
    figure = axes.get_figure()
    if figure is not None:
        figure.colorbar(picture, ax=axes, label="share of the area")


__all__ = ["plot_bias", "plot_curves", "plot_kernel"]
