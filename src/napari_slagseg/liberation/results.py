"""All curves and size classes of a sample, ready to export and to draw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from napari_slagseg.data import ParticleTable
from napari_slagseg.liberation.curves import (
    ERODED,
    SURFACE,
    VOLUME,
    LiberationCurve,
    curve_difference,
    liberation_curve,
)
from napari_slagseg.liberation.sizes import size_by_liberation, size_distribution, size_edges

if TYPE_CHECKING:
    from matplotlib.figure import Figure

IN_3D = "particles in 3D"
IN_SECTIONS = "2D sections of the prediction"
IN_MAPS = "SEM-EDS maps"


@dataclass(frozen=True)
class LiberationResults:
    """Liberation of a sample.

    Attributes
    ----------
    curves : tuple of LiberationCurve
        One for each source (`IN_3D`, `IN_SECTIONS`, `IN_MAPS`) and kind (volume,
        surface, eroded surface where it was measured).
    size_table : DataFrame
        `size_by_liberation` of the particles in 3D; the column ``kind`` names which.
    distribution : DataFrame
        `size_distribution` of the particles in 3D.
    particles : DataFrame
        The rows that stand behind the 3D numbers.
    target : str
        Name of the target phase.
    n_used, n_left_out : int
        Particles in 3D that were used, and that were left out as they touch the border.
    """

    curves: tuple[LiberationCurve, ...]
    size_table: pd.DataFrame
    distribution: pd.DataFrame
    particles: pd.DataFrame
    target: str
    n_used: int
    n_left_out: int
    notes: Mapping[str, str] = field(default_factory=dict)

    def curve(self, label: str, kind: str = VOLUME) -> LiberationCurve | None:
        """The curve of one source and kind, if there is one."""
        for curve in self.curves:
            if curve.label == label and curve.kind == kind:
                return curve
        return None

    def differences(self) -> pd.DataFrame:
        """Distances between the curves of different sources, by kind.

        Returns
        -------
        DataFrame
            ``kind, first, second, max_abs, mean_abs``.
        """
        rows = []
        for i, a in enumerate(self.curves):
            for b in self.curves[i + 1 :]:
                if a.kind == b.kind:
                    rows.append(
                        {"kind": a.kind, "first": a.label, "second": b.label}
                        | curve_difference(a, b)
                    )
        return pd.DataFrame(rows, columns=["kind", "first", "second", "max_abs", "mean_abs"])

    def frames(self) -> dict[str, pd.DataFrame]:
        """Tidy tables for export.

        Returns
        -------
        dict of DataFrame
            ``liberation_curves`` (``curve, kind, threshold, value``: the exact steps; the
            value holds from above the threshold before, to the threshold itself),
            ``size_by_liberation``, ``size_distribution``, ``curve_differences``.
        """
        steps = [
            pd.DataFrame(
                {
                    "curve": curve.label,
                    "kind": curve.kind,
                    "threshold": curve.thresholds,
                    "value": curve.values,
                }
            )
            for curve in self.curves
            if len(curve.thresholds)
        ]
        empty = pd.DataFrame({"curve": [], "kind": [], "threshold": [], "value": []})
        return {
            "liberation_curves": pd.concat(steps, ignore_index=True) if steps else empty,
            "size_by_liberation": self.size_table,
            "size_distribution": self.distribution,
            "curve_differences": self.differences(),
        }

    def figures(self) -> dict[str, Figure]:
        """All figures by name, without pyplot's state."""
        from napari_slagseg.liberation import figures as draw

        return {
            "liberation_curves": draw.figure_liberation(self),
            "size_by_liberation": draw.figure_size_by_liberation(self),
            "size_distribution": draw.figure_size_distribution(self),
            "volume_and_surface_liberation": draw.figure_scatter(self),
        }


def _joined(tables: ParticleTable | Sequence[ParticleTable] | None) -> pd.DataFrame | None:
    if tables is None:
        return None
    several = [tables] if isinstance(tables, ParticleTable) else list(tables)
    if not several:
        return None
    return pd.concat([table.frame for table in several], ignore_index=True)


def liberation_results(
    table3d: ParticleTable,
    sections: ParticleTable | Sequence[ParticleTable] | None = None,
    maps: ParticleTable | Sequence[ParticleTable] | None = None,
    *,
    include_border: bool = False,
    size_edges_um: Sequence[float] | None = None,
) -> LiberationResults:
    """Curves and size classes of particles in 3D, their sections and the maps (K 3.3).

    Parameters
    ----------
    table3d : ParticleTable
        From `describe_particles`.
    sections, maps : ParticleTable or sequence of them, optional
        From `describe_sections` and `describe_map`.
    include_border : bool, default False
        Whether particles that touch the border of the volume count in 3D. Sections
        count in any case, as in K: a plane's rim cuts few of them.
    size_edges_um : sequence of float, optional
        See `size_by_liberation`.

    Returns
    -------
    LiberationResults
    """
    touching = table3d.frame["touches_border"].to_numpy(dtype=bool)
    frame = table3d.frame if include_border else table3d.frame[~touching]
    frame = frame.reset_index(drop=True)
    sources = {IN_3D: frame, IN_SECTIONS: _joined(sections), IN_MAPS: _joined(maps)}
    curves = tuple(
        liberation_curve(rows, kind, label=label)
        for kind in (VOLUME, SURFACE, ERODED)
        for label, rows in sources.items()
        if rows is not None and kind in rows.columns
    )
    edges = (
        size_edges(frame["equivalent_diameter_um"].to_numpy(np.float64))
        if size_edges_um is None
        else size_edges_um
    )
    sizes = [
        size_by_liberation(frame, edges, kind).assign(kind=kind)
        for kind in (VOLUME, SURFACE, ERODED)
        if kind in frame.columns
    ]
    notes = {}
    left_out = 0 if include_border else int(touching.sum())
    if left_out:
        notes["border"] = (
            f"{left_out} of {len(table3d)} particles touch the border of the volume "
            "and are left out of the 3D statistics."
        )
    if not any(len(curve.thresholds) for curve in curves if curve.label == IN_3D):
        notes["target"] = "No particle that counts in 3D holds any of the target phase."
    return LiberationResults(
        curves=curves,
        size_table=pd.concat(sizes, ignore_index=True),
        distribution=size_distribution(frame, edges),
        particles=frame,
        target=table3d.table.target or "target",
        n_used=len(frame),
        n_left_out=left_out,
        notes=notes,
    )


__all__ = ["IN_3D", "IN_MAPS", "IN_SECTIONS", "LiberationResults", "liberation_results"]
