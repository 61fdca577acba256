"""Figures of liberation and size, drawn on given axes; no global state of matplotlib."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from napari_slagseg.liberation.curves import LiberationCurve

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
]
