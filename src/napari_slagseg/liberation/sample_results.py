"""All results of a sample, each with its interval, as tables and as plots."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pandas as pd

from napari_slagseg.data.joined_tables import joined
from napari_slagseg.liberation import (
    composition,
    contacts,
    degrees,
    distributions,
    quantities,
    recovery,
)
from napari_slagseg.liberation.composition import Frames
from napari_slagseg.liberation.resampling import Contributions
from napari_slagseg.liberation.sample_warnings import warnings_of
from napari_slagseg.liberation.samples import Sample
from napari_slagseg.liberation.settings import StatisticSettings

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from napari_slagseg.liberation.stereology import StereologyResults

    Draw = Callable[[Axes], None]

ElementFractions = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class SampleResults:
    """Tables of all results, the plots that show them, and what to be careful about.

    Attributes
    ----------
    samples : tuple of Sample
    settings : StatisticSettings
    tables : mapping of name to DataFrame
        The first column of each is ``sample``, the label; every estimate has the columns
        ``value``, ``low`` and ``high``.
    warnings : tuple of str
        Those of the stereology, too.
    stereology : StereologyResults or None
        What sections show against what the particles are, where there are both.
    """

    samples: tuple[Sample, ...]
    settings: StatisticSettings
    tables: Mapping[str, pd.DataFrame]
    warnings: tuple[str, ...]
    stereology: StereologyResults | None = None

    def frames(self) -> dict[str, pd.DataFrame]:
        """Tables by name."""
        stereology = {} if self.stereology is None else self.stereology.frames()
        return {**self.tables, **stereology}

    def plots(self) -> dict[str, dict[str, Draw]]:
        """Functions that draw each plot on given axes, by tab and name."""
        from napari_slagseg.liberation.sample_plots import plots_of

        stereology = {} if self.stereology is None else self.stereology.plots()
        return {**plots_of(self), **stereology}

    @property
    def frame_of_plot(self) -> dict[str, str]:
        """Name of the table that each plot shows."""
        from napari_slagseg.liberation.sample_plots import FRAME_OF_PLOT

        names = {name for plots in self.plots().values() for name in plots}
        return {name: frame for name, frame in FRAME_OF_PLOT.items() if name in names}


def sample_results(
    particles: Sample,
    *,
    sections: Sample | None = None,
    maps: Sample | None = None,
    settings: StatisticSettings | None = None,
    element_fractions: ElementFractions | None = None,
) -> SampleResults:
    """Compute all results of a sample, with intervals by bootstrap over its particles.

    Parameters
    ----------
    particles : Sample
        3D (or the only sections there are).
    sections : Sample or None
        Virtual sections of the same 3D result. Sections of one particle, which have its
        label, are resampled together.
    maps : Sample or None
        Particle sections of the mineral maps.
    settings : StatisticSettings or None
        None takes the defaults.
    element_fractions : mapping of phase name to {element: mass share}, or None
        For the assay; None leaves it out.

    Returns
    -------
    results : SampleResults
        What cannot be computed is NaN, with the reason among the warnings.
    """
    settings = settings or StatisticSettings()
    if sections is not None:
        sections = replace(sections, one_particle_many_sections=True)
    samples = tuple(s for s in (particles, sections, maps) if s is not None)
    found: dict[str, list[pd.DataFrame]] = {}
    warnings: list[str] = []
    for sample in samples:
        for name, frame in _frames(sample, settings, element_fractions).items():
            frame.insert(0, "sample", sample.label)
            found.setdefault(name, []).append(frame)
        warnings += [*sample.warnings, *warnings_of(sample, element_fractions)]
    tables = {name: joined(frames) for name, frames in found.items()}
    stereology = None
    if particles.dimension == 3 and len(samples) > 1:
        from napari_slagseg.liberation.stereology import stereology_results

        stereology = stereology_results(particles, sections, maps, settings=settings)
        warnings += stereology.warnings
    return SampleResults(samples, settings, tables, tuple(dict.fromkeys(warnings)), stereology)


def _frames(
    sample: Sample, settings: StatisticSettings, element_fractions: ElementFractions | None
) -> Frames:
    sums, sizes = Contributions(sample), Contributions(sample)
    finishing = [
        composition.modal(sums),
        composition.assay(sums, element_fractions),
        degrees.curves(sums),
        degrees.classes(sums, settings),
        degrees.by_size(sums, settings),
        quantities.key_numbers(sums, settings),
        quantities.needed_particles(sums, settings),
        contacts.locking(sums, settings),
        contacts.association(sums),
        recovery.grade_recovery(sums, settings),
        recovery.density_classes(sums, settings),
    ]
    of_sizes = [quantities.key_sizes(sizes), distributions.distributions(sizes, settings)]
    found = sums.sums(settings)
    # strata of size would hold fixed what is asked for here
    found_sizes = sizes.sums(settings, strata=1)
    frames: Frames = {"liberation_steps": degrees.steps(sample)}
    for finish in finishing:
        frames |= finish(found)
    for finish in of_sizes:
        frames |= finish(found_sizes)
    frames["summary"] = quantities.summary_of(frames)
    del frames["key_sizes"]
    frames["volume_and_surface"] = degrees.of_each(sample)
    frames["convergence"] = quantities.convergence(sample, settings)
    frames["border_handling"] = quantities.border_handling(sample, settings, frames["summary"])
    return frames


__all__ = ["SampleResults", "sample_results"]
