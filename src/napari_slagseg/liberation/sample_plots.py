"""The plots of a sample, by tab, each with the table that it shows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

import pandas as pd

from napari_slagseg.liberation import sample_figures as figures
from napari_slagseg.liberation.degrees import exact_curves

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from napari_slagseg.liberation.sample_results import SampleResults

    Draw = Callable[[Axes], None]

FRAME_OF_PLOT = {
    "volume_liberation": "liberation_curves",
    "surface_liberation": "liberation_curves",
    "surface_liberation_eroded": "liberation_curves",
    "liberation_classes": "liberation_classes",
    "liberation_groups": "liberation_groups",
    "size_by_liberation": "size_by_liberation",
    "volume_and_surface": "volume_and_surface",
    "convergence": "convergence",
    "border_handling": "border_handling",
    "size_distribution": "size_distribution",
    "size_passing": "size_distribution",
    "size_passing_by_kind": "size_distribution",
    "size_percentiles": "size_percentiles",
    "grain_size_distribution": "grain_size_distribution",
    "association": "association",
    "association_of_all": "association",
    "locking": "locking",
    "modal": "modal",
    "grade_recovery": "grade_recovery",
    "density_classes": "density_classes",
    "assay": "assay",
    "element_distribution": "element_distribution",
    "stereology_volume_liberation": "stereology_curves",
    "stereology_surface_liberation": "stereology_curves",
    "stereology_surface_liberation_eroded": "stereology_curves",
    "stereology_bias": "stereology_bias",
    "stereology_kernel": "stereology_kernel",
}
"""Name of the table that each plot shows."""

_KINDS = {"volume_liberation": "", "surface_liberation": "_by_surface"}
FRAME_OF_PLOT |= {
    f"{name}_by_surface": name
    for name in ("liberation_classes", "liberation_groups", "size_by_liberation")
}


def plots_of(results: SampleResults) -> dict[str, dict[str, Draw]]:
    """Functions that draw each plot on given axes, by tab and name."""
    tables = results.tables
    found: dict[str, dict[str, Draw]] = {
        "liberation": {},
        "size": {},
        "association": {},
        "grade-recovery": {},
    }
    liberation = found["liberation"]
    exact = [exact_curves(sample) for sample in results.samples]
    kinds = list(tables["liberation_curves"]["by"].unique())
    for by in kinds:
        bands = _of(tables["liberation_curves"], by)
        of_kind = [curves[by] for curves in exact if by in curves]
        liberation[by] = partial(figures.plot_curves, bands, of_kind, by)
    for name, column in (
        ("liberation_classes", "liberation_class"),
        ("liberation_groups", "group"),
    ):
        for by, suffix in _KINDS.items():
            shares = _of(tables[name], by)
            liberation[name + suffix] = partial(figures.plot_shares, shares, column, by)
    for by, suffix in _KINDS.items():
        sizes = _of(tables["size_by_liberation"], by)
        liberation["size_by_liberation" + suffix] = partial(figures.plot_by_size, sizes, by)
    liberation["volume_and_surface"] = partial(figures.plot_scatter, tables["volume_and_surface"])
    liberation["convergence"] = partial(figures.plot_convergence, tables["convergence"])
    liberation["border_handling"] = partial(figures.plot_border, tables["border_handling"])
    found["size"] = _sizes(tables)
    found["association"] = {
        "association": partial(figures.plot_association, tables["association"]),
        "association_of_all": partial(figures.plot_association_matrix, tables["association"]),
        "locking": partial(figures.plot_locking, tables["locking"]),
        "modal": partial(figures.plot_modal, tables["modal"]),
    }
    found["grade-recovery"] = {
        "grade_recovery": partial(figures.plot_grade_recovery, tables["grade_recovery"]),
        "density_classes": partial(figures.plot_density_classes, tables["density_classes"]),
        "assay": partial(figures.plot_assay, tables["assay"]),
        "element_distribution": partial(
            figures.plot_element_distribution, tables["element_distribution"]
        ),
    }
    return found


def _sizes(tables: Mapping[str, pd.DataFrame]) -> dict[str, Draw]:
    classes = tables["size_distribution"]
    amount = classes["basis"].isin(["volume", "area"])
    diameter = classes["size"] == "equivalent_diameter_um"
    kinds = classes["size"].str.replace("_um", "").str.replace("_", " ")
    bases = classes["sample"] + ", by " + classes["basis"]
    first = classes["sample"] == (classes["sample"].iloc[0] if len(classes) else "")
    percentiles = tables["size_percentiles"]
    of_particles = percentiles["of"] == "particles"
    chosen = of_particles & percentiles["basis"].isin(["volume", "area"])
    if len(percentiles):
        chosen &= percentiles["sample"] == percentiles["sample"].iloc[0]
    grains = tables["grain_size_distribution"]
    grain_series = grains["phase"].astype(str) + ", by " + grains["basis"].astype(str)
    # all bases of the first sample; of the others, which have other colours already, one
    by_diameter = classes.assign(series=bases)[diameter & (first | amount)]
    by_kind = classes.assign(series=kinds)[amount & first]
    return {
        "size_distribution": partial(figures.plot_size_classes, classes[diameter & amount]),
        "size_passing": partial(figures.plot_passing, by_diameter, "equivalent diameter", "series"),
        "size_passing_by_kind": partial(figures.plot_passing, by_kind, "size", "series"),
        "size_percentiles": partial(figures.plot_percentiles, percentiles[chosen]),
        "grain_size_distribution": partial(
            figures.plot_passing,
            grains.assign(series=grain_series),
            "diameter of the grains",
            "series",
        ),
    }


def _of(frame: pd.DataFrame, by: str) -> pd.DataFrame:
    return frame[frame["by"] == by]


__all__ = ["FRAME_OF_PLOT", "plots_of"]
