"""Modal mineralogy, calculated assay and element distribution."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_slagseg.data import Phase
from napari_slagseg.liberation.estimates import Estimate, certain, estimate, share
from napari_slagseg.liberation.resampling import Contributions
from napari_slagseg.liberation.samples import Sample
from napari_slagseg.liberation.sums import Sums

Array = NDArray[np.float64]
Frames = dict[str, pd.DataFrame]
Finish = Callable[[Sums], Frames]


def present_phases(sample: Sample) -> list[Phase]:
    """Phases that some particle of the sample holds."""
    fractions = sample.fractions()
    return [phase for k, phase in enumerate(sample.phases) if (fractions[:, k] > 0).any()]


def without_density(sample: Sample) -> list[str]:
    """Names of the phases of the sample that have no density, so that it has no mass."""
    return [phase.name for phase in present_phases(sample) if not phase.density_g_cm3]


def phase_masses(sample: Sample) -> Array:
    """Mass of every phase in every particle, (n, phases), in um^3 (um^2) times g/cm3.

    NaN everywhere where a phase that occurs has no density.
    """
    fractions = sample.fractions()
    if without_density(sample):
        return np.full(fractions.shape, np.nan)
    densities = np.array([phase.density_g_cm3 or 0.0 for phase in sample.phases])
    return np.asarray(fractions * densities * sample.amounts[:, None])


def modal(sums: Contributions) -> Finish:
    """Share of each phase of all that has a phase, by volume (area) and by mass.

    ``share_p = sum_i w_i V_i f_ip / sum_i sum_q w_i V_i f_iq``, with the densities as
    factors for the mass. Sections give volume shares, too, as area shares estimate them
    without bias (Delesse).
    """
    sample = sums.sample
    volumes = sample.fractions() * sample.amounts[:, None]
    parts = [("volume", sums.add(volumes), sums.add(volumes.sum(axis=1)))]
    masses = phase_masses(sample)
    parts.append(("mass", sums.add(masses), sums.add(masses.sum(axis=1))))
    names = [phase.name for phase in sample.phases]

    def finish(found: Sums) -> Frames:
        frames = [
            pd.DataFrame(
                {
                    "phase": names,
                    "basis": basis,
                    **share(found[each].divided_by(found[all_of_them])).columns(),
                }
            )
            for basis, each, all_of_them in parts
        ]
        return {"modal": pd.concat(frames, ignore_index=True)}

    return finish


def assay(
    sums: Contributions, element_fractions: Mapping[str, Mapping[str, float]] | None
) -> Finish:
    """Mass share of each element, and the share of each element that each phase carries.

    ``c_E = sum_p m_p e_pE / sum_p m_p`` and ``m_p e_pE / sum_q m_q e_qE``, with the masses
    m_p of the phases and the mass share e_pE of element E in phase p.

    Parameters
    ----------
    sums : Contributions
    element_fractions : mapping of phase name to {element: mass share}, or None
        None gives empty tables. A phase that occurs and is not in the mapping makes every
        value NaN.
    """
    sample = sums.sample
    given = element_fractions or {}
    elements = sorted({element for part in given.values() for element in part})
    names = [phase.name for phase in sample.phases]
    shares = np.array([[given.get(name, {}).get(e, 0.0) for e in elements] for name in names])
    shares = shares.reshape(len(names), len(elements))
    if without_composition(sample, element_fractions):
        shares[:] = np.nan
    masses = phase_masses(sample)
    whole = sums.add(masses.sum(axis=1))
    # held[:, e, p]: mass of element e in phase p of each particle
    held = masses[:, None, :] * shares.T[None, :, :]
    # a phase without the element carries none of it, its only carrier all, whatever the sample
    carriers = np.count_nonzero(shares, axis=0)
    settled = ((shares == 0) | ((carriers == 1) & (shares > 0))).T.reshape(-1)
    of_element = sums.add(held.sum(axis=2))
    by_phase = sums.add(held.reshape(len(sample), len(elements) * len(names)))

    def finish(found: Sums) -> Frames:
        content = estimate(found[of_element].divided_by(found[whole]))
        carried = share(found[by_phase].divided_by(found[of_element].repeated(len(names))))
        carried = certain(carried, settled)
        return {
            "assay": pd.DataFrame({"element": elements, **content.columns()}),
            "element_distribution": pd.DataFrame(
                {
                    "element": np.repeat(np.array(elements, dtype=object), len(names)),
                    "phase": names * len(elements),
                    **carried.columns(),
                }
            ),
        }

    return finish


def without_composition(
    sample: Sample, element_fractions: Mapping[str, Mapping[str, float]] | None
) -> list[str]:
    """Names of the phases that occur and whose elements are not known."""
    if element_fractions is None:
        return []
    return [p.name for p in present_phases(sample) if not element_fractions.get(p.name)]


def labelled(found: Estimate, **columns: Sequence[object] | object) -> pd.DataFrame:
    """Table of some columns, then the values and their intervals."""
    return pd.DataFrame({**columns, **found.columns()})


__all__ = [
    "Finish",
    "Frames",
    "assay",
    "labelled",
    "modal",
    "phase_masses",
    "present_phases",
    "without_composition",
    "without_density",
]
