"""Figures of a report, to files and to the page."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_slagseg import io

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    Draw = Callable[[Axes], None]

FORMATS = ("png", "svg")

LARGEST_SVG = 400_000
"""Bytes up to which a figure is put in the page as SVG; beyond (many points) it is a PNG."""

_SETTINGS: Any = {
    # names of phases and maps are foreign text: a $ in them is no formula
    "text.parse_math": False,
    "svg.hashsalt": "slagseg",
    "svg.fonttype": "path",
}


def drawn(draw: Draw) -> Figure:
    """Figure of one plot, whatever signs are in the names it shows."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(_SETTINGS):
        figure = Figure(figsize=(6.4, 4.2), layout="constrained")
        axes = figure.add_subplot()
        draw(axes)
        for axis in (axes.xaxis, axes.yaxis):
            if axis.get_scale() == "log":
                _plain_ticks(axis)
        # ticks and their labels are made when they are drawn
        figure.draw_without_rendering()
        # the layout is found: each file would look for it again
        figure.set_layout_engine("none")
    return figure


def _plain_ticks(axis: Any) -> None:
    """Numbers at 1, 2 and 5 times powers of ten; matplotlib's own labels are formulas."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    low, high = sorted(axis.get_view_interval())
    few = low > 0 and high / low < 1000
    axis.set_major_locator(LogLocator(base=10, subs=(1, 2, 5) if few else (1,)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def save(figure: Figure, folder: Path, name: str) -> str:
    """Write a figure as PNG and SVG, and give it as ``data:`` for the page.

    The page takes the SVG, or the PNG where that would be large.
    """
    import matplotlib

    with matplotlib.rc_context(_SETTINGS):
        for kind in FORMATS:
            io.write_figure(figure, folder / f"{name}.{kind}")
    svg = folder / f"{name}.svg"
    small = svg.stat().st_size <= LARGEST_SVG
    kind, path = ("svg+xml", svg) if small else ("png", folder / f"{name}.png")
    return f"data:image/{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"


__all__ = ["FORMATS", "LARGEST_SVG", "drawn", "save"]
