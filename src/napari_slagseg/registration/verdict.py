"""Whether a map is accepted, and why not: numbers, and words for the user."""

from __future__ import annotations

import numpy as np

from napari_slagseg.registration.settings import RegistrationSettings
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


def reasons_to_refuse(
    score: float,
    ratio: float,
    accepted_share: float,
    extent: float,
    settings: RegistrationSettings,
) -> list[str]:
    """What speaks against a placement; empty if nothing does.

    Parameters
    ----------
    score : float
        Multiple correlation of the whole map.
    ratio : float
        To the second distinct place; infinite where there was none to compare with.
    accepted_share : float
        Of the cutouts.
    extent : float
        Shorter side of the map in voxels.
    settings : RegistrationSettings
    """
    reasons = []
    needed = settings.accept_score if np.isfinite(ratio) else settings.lone_score
    size = ""
    if extent < settings.small_map_voxels:
        needed = max(needed, settings.small_map_score)
        size = f" for a map of only {extent:.0f} voxels"
    if score < needed:
        reasons.append(
            f"its correlation with the CT is {score:.2f} at the best place "
            f"(at least {needed} is needed{size})"
        )
    if ratio < settings.accept_ratio and score < settings.sure_score:
        reasons.append(
            f"a second place fits almost as well (ratio {ratio:.2f}, at least "
            f"{settings.accept_ratio} is needed)"
        )
    if accepted_share < settings.accept_cutouts:
        reasons.append(f"only {accepted_share:.0%} of its cutouts agree on a surface")
    return reasons


def refusal(reasons: list[str]) -> str:
    """The reasons as one sentence that names the way out."""
    return (
        "no place in the CT fits this map well: "
        + "; ".join(reasons or ["no cutout holds enough particles inside the CT"])
        + ". Is it of this sample? A height window, landmarks or the mirror state help."
    )


def warning_for(score: float, extent: float, settings: RegistrationSettings) -> str:
    """What is uncertain about a map that was accepted, or nothing."""
    if extent < settings.small_map_voxels and score < settings.sure_score:
        return (
            f"the map is small ({extent:.0f} voxels across), and wrong places can look "
            "right for small maps: look at it before you go on."
        )
    return ""


__all__ = [
    "distinct_places",
    "ratio_to_second",
    "reasons_to_refuse",
    "refusal",
    "standing",
    "warning_for",
]
