"""All stereology of a sample, as tables and as plots."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from napari_slagseg.data import SlagsegError
from napari_slagseg.liberation.samples import Sample
from napari_slagseg.liberation.settings import StatisticSettings
from napari_slagseg.liberation.stereology.bias import stereology_bias, stereology_curves
from napari_slagseg.liberation.stereology.classes import GradeClasses
from napari_slagseg.liberation.stereology.correction import Correction, correct_sections
from napari_slagseg.liberation.stereology.kernel import SectionKernel, section_kernel

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    Draw = Callable[[Axes], None]


@dataclass(frozen=True)
class StereologyResults:
    """Tables and plots of the tab "stereology".

    Attributes
    ----------
    tables : mapping of name to DataFrame
        ``stereology_curves``, ``stereology_bias`` and, where there was a kernel,
        ``stereology_kernel``, ``stereology_weights`` and ``stereology_distribution``.
    kernel : SectionKernel or None
    corrections : tuple of Correction
        Of the maps.
    warnings : tuple of str
    """

    tables: Mapping[str, pd.DataFrame]
    kernel: SectionKernel | None
    corrections: tuple[Correction, ...]
    warnings: tuple[str, ...]

    def frames(self) -> dict[str, pd.DataFrame]:
        """Tables by name."""
        return dict(self.tables)

    def plots(self) -> dict[str, dict[str, Draw]]:
        """Functions that draw each plot on given axes, by tab and name."""
        from napari_slagseg.liberation.stereology import figures

        curves = self.tables["stereology_curves"]
        found: dict[str, Draw] = {
            f"stereology_{by}": partial(figures.plot_curves, curves, by=by)
            for by in dict.fromkeys(curves["by"])
        }
        if len(self.tables["stereology_bias"]):
            found["stereology_bias"] = partial(figures.plot_bias, self.tables["stereology_bias"])
        if self.kernel is not None:
            found["stereology_kernel"] = partial(figures.plot_kernel, self.kernel)
        return {"stereology": found}


def stereology_results(
    particles: Sample,
    sections: Sample | None = None,
    maps: Sample | None = None,
    *,
    settings: StatisticSettings | None = None,
    classes: GradeClasses | None = None,
) -> StereologyResults:
    """Bias of sections against particles, the kernel, and the maps corrected by it.

    Parameters
    ----------
    particles : Sample
        3D.
    sections : Sample or None
        Sections of the same 3D result.
    maps : Sample or None
        Particle sections of mineral maps of the same material; corrected where there are
        sections to measure a kernel with.
    settings : StatisticSettings or None
    classes : GradeClasses or None

    Returns
    -------
    StereologyResults
        What cannot be computed is left out or NaN, with the reason among the warnings.

    Raises
    ------
    SlagsegError
        If the samples' dimensions or targets do not fit each other.
    """
    settings = settings or StatisticSettings()
    if sections is not None:
        sections = replace(sections, one_particle_many_sections=True)
    warnings: list[str] = []
    tables = {
        "stereology_curves": stereology_curves(particles, sections, maps, settings),
        "stereology_bias": stereology_bias(particles, sections, maps, settings),
    }
    if not np.isfinite(tables["stereology_curves"]["value"]).any():
        warnings.append(f"There is no {particles.target_name or 'target'}: nothing is compared.")
    kernel: SectionKernel | None = None
    corrections: list[Correction] = []
    try:
        if sections is not None:
            kernel = section_kernel(particles, sections, classes)
        if kernel is not None and maps is not None and len(maps):
            corrections.append(correct_sections(kernel, maps, settings))
    except SlagsegError as error:
        warnings.append(f"Not corrected: {error}")
    if kernel is not None:
        tables["stereology_kernel"] = kernel.frame(settings)
        tables["stereology_weights"] = kernel.sectioning_weights()
    for correction in corrections:
        warnings += correction.warnings
        curves = [tables["stereology_curves"], correction.liberation_curve()]
        tables["stereology_curves"] = pd.concat(curves, ignore_index=True)
        tables["stereology_distribution"] = correction.distribution()
    return StereologyResults(tables, kernel, tuple(corrections), tuple(warnings))


__all__ = ["StereologyResults", "stereology_results"]
