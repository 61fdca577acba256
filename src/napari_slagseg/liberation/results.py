"""All liberation results of a sample, ready for tables and figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import pandas as pd

from napari_slagseg.data import ParticleTable
from napari_slagseg.liberation.curves import LiberationCurve, liberation_curve
from napari_slagseg.liberation.sizes import size_by_liberation

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_ERODED = "surface_liberation_eroded"


@dataclass(frozen=True)
class LiberationResults:
    """Curves and size classes.

    Attributes
    ----------
    curves : mapping of kind to curves
        Kinds: ``volume_liberation``, ``surface_liberation``, and
        ``surface_liberation_eroded`` where it was measured. Of the particles in 3D,
        of virtual sections and of the maps, where there are such tables.
    sizes : DataFrame
        See `size_by_liberation`; of the particles in 3D.
    particles : DataFrame
        Rows that took part.
    """

    curves: Mapping[str, tuple[LiberationCurve, ...]]
    sizes: pd.DataFrame
    particles: pd.DataFrame

    def frames(self) -> dict[str, pd.DataFrame]:
        """Tables to store: ``liberation_curves`` (one row a step) and ``size_by_liberation``."""
        rows = [
            pd.DataFrame(
                {
                    "by": kind,
                    "curve": curve.label,
                    "threshold": curve.thresholds,
                    "value": curve.values,
                }
            )
            for kind, curves in self.curves.items()
            for curve in curves
        ]
        return {
            "liberation_curves": pd.concat(rows, ignore_index=True),
            "size_by_liberation": self.sizes,
        }

    def plots(self) -> dict[str, Callable[[Axes], None]]:
        """Functions that draw each plot on given axes, by name."""
        from napari_slagseg.liberation import figures

        found: dict[str, Callable[[Axes], None]] = {}
        for kind, curves in self.curves.items():
            what = kind.replace("_", " ")
            found[kind] = partial(_draw_curves, curves, what)
        found["size_by_liberation"] = partial(figures.plot_size_by_liberation, self.sizes)
        found["size_distribution"] = partial(figures.plot_size_distribution, self.particles)
        found["volume_and_surface"] = partial(figures.plot_liberation_scatter, self.particles)
        return found

    def figures(self) -> dict[str, Figure]:
        """Figure of every plot, by name."""
        from napari_slagseg.liberation.figures import draw_figure

        return {name: draw_figure(draw) for name, draw in self.plots().items()}


def _draw_curves(curves: Sequence[LiberationCurve], what: str, axes: Axes) -> None:
    from napari_slagseg.liberation.figures import plot_liberation

    plot_liberation(curves, axes, what)


def liberation_results(
    particles: ParticleTable,
    *,
    sections: ParticleTable | None = None,
    maps: ParticleTable | None = None,
    include_border: bool = False,
    size_edges_um: Sequence[float] | None = None,
) -> LiberationResults:
    """Liberation curves and size classes of a sample.

    Parameters
    ----------
    particles : ParticleTable
        3D.
    sections, maps : ParticleTable or None
        Virtual sections of the 3D result, and the mineral maps themselves.
    include_border : bool
        Count particles that touch the border, too; they are left out otherwise.
    size_edges_um : sequence of float or None
        See `size_by_liberation`.
    """
    named = [("3D particles", particles), ("2D sections of the 3D result", sections)]
    named.append(("SEM-EDS maps", maps))
    frames = {
        label: table.frame if include_border else table.inside()
        for label, table in named
        if table is not None
    }
    curves = {}
    for kind in ("volume_liberation", "surface_liberation", _ERODED):
        of_kind = tuple(
            liberation_curve(frame, kind, label=label)
            for label, frame in frames.items()
            if kind in frame
        )
        if of_kind:
            curves[kind] = of_kind
    whole = frames["3D particles"]
    return LiberationResults(curves, size_by_liberation(whole, size_edges_um), whole)


__all__ = ["LiberationResults", "liberation_results"]
