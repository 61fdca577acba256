"""Whether a map is accepted, and why not: numbers, and words for the user."""

from __future__ import annotations

import numpy as np

from napari_slagseg.registration.settings import RegistrationSettings
from napari_slagseg.registration.surface import SurfaceFit


def ratio_to_second(fits: list[SurfaceFit], level: int) -> float:
    """Score of the best fit over that of the best one at another place.

    Parameters
    ----------
    fits : list of SurfaceFit
        Best first.
    level : int
        Of the coarse search: places nearer than three of its pixels are one.

    Returns
    -------
    ratio : float
        Infinite where all fits ended at one place.
    """
    if len(fits) < 2 or fits[0].score <= 0:
        return float("inf") if fits else 0.0
    first = fits[0].surface
    for other in fits[1:]:
        apart = np.abs(other.surface.coefficients[0] - first.coefficients[0]).max()
        turn = abs((other.surface.angle_deg - first.angle_deg + 180) % 360 - 180)
        if apart > 3 * level or turn > 10 or other.surface.mirrored != first.mirrored:
            return float(fits[0].score / max(other.score, 1e-6))
    return float("inf")


def reasons_to_refuse(
    score: float, ratio: float, accepted_share: float, settings: RegistrationSettings
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
    settings : RegistrationSettings
    """
    reasons = []
    needed = settings.accept_score if np.isfinite(ratio) else settings.lone_score
    if score < needed:
        reasons.append(
            f"its correlation with the CT is {score:.2f} at the best place "
            f"(at least {needed} is needed)"
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


__all__ = ["ratio_to_second", "reasons_to_refuse", "refusal", "warning_for"]
