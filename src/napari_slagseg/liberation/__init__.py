"""Rows to liberation curves, size classes and figures."""

from napari_slagseg.liberation.curves import (
    LiberationCurve,
    curve_difference,
    liberation_curve,
    target_amount,
)
from napari_slagseg.liberation.sample_results import SampleResults, sample_results
from napari_slagseg.liberation.samples import Sample, sample_of
from napari_slagseg.liberation.settings import SampleFilter, StatisticSettings
from napari_slagseg.liberation.sizes import size_by_liberation, size_edges

__all__ = [
    "LiberationCurve",
    "Sample",
    "SampleFilter",
    "SampleResults",
    "StatisticSettings",
    "curve_difference",
    "liberation_curve",
    "sample_of",
    "sample_results",
    "size_by_liberation",
    "size_edges",
    "target_amount",
]
