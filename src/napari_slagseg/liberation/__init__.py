"""Rows to liberation curves, size classes and figures."""

from napari_slagseg.liberation.curves import (
    LiberationCurve,
    curve_difference,
    liberation_curve,
    target_amount,
)
from napari_slagseg.liberation.results import LiberationResults, liberation_results
from napari_slagseg.liberation.sizes import size_by_liberation, size_edges

__all__ = [
    "LiberationCurve",
    "LiberationResults",
    "curve_difference",
    "liberation_curve",
    "liberation_results",
    "size_by_liberation",
    "size_edges",
    "target_amount",
]
