"""Whether a map is accepted, and why not: numbers, and words for the user."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from napari_slagseg.data import Cutout, PlacementSurface
from napari_slagseg.registration.settings import RegistrationSettings
from napari_slagseg.registration.slip import Slip
from napari_slagseg.registration.surface import SurfaceFit


def _same_place(a: SurfaceFit, b: SurfaceFit, level: int) -> bool:
    """Whether two fits ended within three pixels of a level and ten degrees of each other."""
    apart = np.abs(a.surface.coefficients[0] - b.surface.coefficients[0]).max()
    turn = abs((a.surface.angle_deg - b.surface.angle_deg + 180) % 360 - 180)
    return bool(apart <= 3 * level and turn <= 10 and a.surface.mirrored == b.surface.mirrored)


def standing(fit: SurfaceFit) -> float:
    """Score by which places are compared: what lies outside of the CT counts as unexplained.

    Else a place half outside would win over the right one, for fewer pixels are
    easier to match. The square of a multiple correlation is a share of the variation,
    hence the root.
    """
    return fit.score * float(np.sqrt(fit.coverage))


def distinct_places(fits: list[SurfaceFit], level: int) -> list[SurfaceFit]:
    """The best fit of each place, best first."""
    kept: list[SurfaceFit] = []
    for fit in sorted(fits, key=lambda f: -standing(f)):
        if not any(_same_place(fit, other, level) for other in kept):
            kept.append(fit)
    return kept


def ratio_to_second(fits: list[SurfaceFit], level: int) -> float:
    """Standing of the best fit over that of the best one at another place.

    Parameters
    ----------
    fits : list of SurfaceFit
    level : int
        Of the coarse search: places nearer than three of its pixels are one.

    Returns
    -------
    ratio : float
        Infinite where all fits ended at one place, 0 where there is none.
    """
    places = distinct_places(fits, level)
    if not places or standing(places[0]) <= 0:
        return 0.0
    if len(places) < 2:
        return float("inf")
    return float(standing(places[0]) / max(standing(places[1]), 1e-6))


class Reason(NamedTuple):
    """Why a map is refused.

    Attributes
    ----------
    kind : {"correlation", "second_place", "cutouts", "small", "doubt", "probability", "nothing"}
    text : str
        For the user, with the numbers.
    """

    kind: str
    text: str


def reasons_to_refuse(
    probability: float,
    score: float,
    ratio: float | None,
    accepted_share: float,
    extent: float,
    settings: RegistrationSettings,
) -> list[Reason]:
    """What speaks against a placement; empty if it is accepted.

    Parameters
    ----------
    probability : float
        That the map lies there; it alone decides, with the share of cutouts.
    score : float
        Multiple correlation of the whole map.
    ratio : float or None
        To the second distinct place; infinite where there was none to compare with,
        None where none was looked for.
    accepted_share : float
        Of the cutouts.
    extent : float
        Shorter side of the map in voxels.
    settings : RegistrationSettings
    """
    s = settings
    few = accepted_share < s.accept_cutouts
    if probability >= s.accept_probability and not few:
        return []
    reasons = []
    if score < s.usual_score:
        reasons.append(
            Reason(
                "correlation",
                f"its correlation with the CT is {score:.2f} at the best place (maps that belong "
                f"usually reach {s.usual_score})",
            )
        )
    if ratio is not None and ratio < s.usual_ratio:
        reasons.append(
            Reason(
                "second_place",
                f"a second place fits almost as well (ratio {ratio:.2f}, usually at least "
                f"{s.usual_ratio})",
            )
        )
    if few:
        reasons.append(
            Reason("cutouts", f"only {accepted_share:.0%} of its cutouts agree on a surface")
        )
    if extent < s.small_map_voxels:
        reasons.append(
            Reason(
                "small",
                f"it is only {extent:.0f} voxels across, and wrong places can look right for a "
                "map so small",
            )
        )
    if not reasons:
        reasons.append(Reason("doubt", "all in all too little speaks for the best place"))
    reasons.append(
        Reason(
            "probability",
            f"it lies there with a probability of {probability:.2g} (at least "
            f"{s.accept_probability:g} is needed)",
        )
    )
    return reasons


def refusal(reasons: list[Reason], more: str = "") -> str:
    """The reasons as one sentence that names the way out.

    Parameters
    ----------
    reasons : list of Reason
    more : str
        A sentence of its own, such as that two sizes look exchanged.
    """
    return (
        "no place in the CT fits this map well: "
        + "; ".join(r.text for r in reasons)
        + ". "
        + (f"{more} " if more else "")
        + "Is it of this sample? A height window, landmarks or the mirror state help."
    )


def warning_for(
    probability: float,
    fit: SurfaceFit,
    surface: PlacementSurface | None,
    extent: float,
    cutouts: Sequence[Cutout],
    settings: RegistrationSettings,
    slips: Sequence[Slip] = (),
) -> str:
    """What is uncertain about a map that was accepted, or nothing."""
    s = settings
    found = [p.text() for p in slips]
    if probability < s.sure_probability:
        small = f", and the map is small ({extent:.0f} voxels across)"
        found.append(
            f"it lies there with a probability of {probability:.2f} only"
            + (small if extent < s.small_map_voxels else "")
        )
    if fit.coverage < s.usual_coverage:
        found.append(f"only {fit.coverage:.0%} of the map lies inside the CT")
    lost = [c for c in cutouts if not c.accepted]
    if len(lost) > s.usual_lost * len(cutouts):
        found.append(
            f"{len(lost)} of {len(cutouts)} cutouts were rejected, and nothing is learnt from "
            "where they lie"
        )
    cracked = [c for c in cutouts if (c.step_voxels or 0.0) > s.accept_step_voxels]
    if cracked and not slips:
        found.append(
            f"{len(cracked)} cutouts hold a step of up to "
            f"{max(c.step_voxels or 0.0 for c in cracked):.0f} voxels, as across a crack or "
            "between stitched fields"
        )
    if surface is not None and surface.uncertainty_voxels is not None:
        usual = float(np.median(surface.uncertainty_voxels))
        if usual > s.usual_uncertainty_voxels:
            found.append(f"its place is uncertain by {usual:.1f} voxels in most of it")
    if not found:
        return ""
    return "Look at this map before you go on: " + "; ".join(found) + "."


__all__ = [
    "Reason",
    "distinct_places",
    "ratio_to_second",
    "reasons_to_refuse",
    "refusal",
    "standing",
    "warning_for",
]
