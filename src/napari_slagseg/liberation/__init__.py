"""Tables of particles to liberation curves, size classes and figures (K 2.4.2, 3.3)."""

from typing import TYPE_CHECKING, Any

from napari_slagseg.liberation.curves import (
    ERODED,
    SURFACE,
    VOLUME,
    LiberationCurve,
    curve_difference,
    liberation_curve,
    target_amount,
)
from napari_slagseg.liberation.results import (
    IN_3D,
    IN_MAPS,
    IN_SECTIONS,
    LiberationResults,
    liberation_results,
)
from napari_slagseg.liberation.sizes import size_by_liberation, size_distribution, size_edges

if TYPE_CHECKING:
    from napari_slagseg.liberation.figures import (
        figure_liberation,
        figure_scatter,
        figure_size_by_liberation,
        figure_size_distribution,
        plot_liberation,
        plot_liberation_scatter,
        plot_size_by_liberation,
        plot_size_distribution,
    )


def __getattr__(name: str) -> Any:
    # matplotlib is imported by those who draw
    if name.startswith(("plot_", "figure_")):
        from napari_slagseg.liberation import figures

        if name in figures.__all__:
            return getattr(figures, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "ERODED",
    "IN_3D",
    "IN_MAPS",
    "IN_SECTIONS",
    "SURFACE",
    "VOLUME",
    "LiberationCurve",
    "LiberationResults",
    "curve_difference",
    "figure_liberation",
    "figure_scatter",
    "figure_size_by_liberation",
    "figure_size_distribution",
    "liberation_curve",
    "liberation_results",
    "plot_liberation",
    "plot_liberation_scatter",
    "plot_size_by_liberation",
    "plot_size_distribution",
    "size_by_liberation",
    "size_distribution",
    "size_edges",
    "target_amount",
]
