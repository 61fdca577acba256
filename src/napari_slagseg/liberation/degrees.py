"""Degrees of liberation: curves with bands, classes, groups, and by particle size."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_slagseg.liberation.composition import Finish, Frames, labelled
from napari_slagseg.liberation.curves import LiberationCurve, liberation_curve
from napari_slagseg.liberation.estimates import certain, falling, share
from napari_slagseg.liberation.resampling import Contributions
from napari_slagseg.liberation.samples import Sample
from napari_slagseg.liberation.settings import StatisticSettings
from napari_slagseg.liberation.sizes import classes_with_all
from napari_slagseg.liberation.sums import Sums

Array = NDArray[np.float64]

LIBERATIONS = ("volume_liberation", "surface_liberation", "surface_liberation_eroded")
"""By composition, by free surface, and by the surface after erosion."""

GRID = np.arange(101) / 100
"""Thresholds at which curves have bands."""


def liberations(sample: Sample) -> list[str]:
    """Kinds of liberation that the table holds."""
    return [name for name in LIBERATIONS if sample.has(name)]


def exact_curves(sample: Sample) -> dict[str, LiberationCurve]:
    """Curve of each kind of liberation, as the step function that it is."""
    if not sample.table.targets:
        return {}
    frame, weights = sample.table.frame, sample.weights
    return {
        by: liberation_curve(frame, by, label=sample.label, weights=weights)
        for by in liberations(sample)
    }


def steps(sample: Sample) -> pd.DataFrame:
    """Every step of the curves: the liberations that occur, and the curve at each."""
    frames = [
        pd.DataFrame({"by": by, "threshold": curve.thresholds, "value": curve.values})
        for by, curve in exact_curves(sample).items()
    ]
    empty = pd.DataFrame({"by": [], "threshold": [], "value": []})
    return pd.concat(frames, ignore_index=True) if frames else empty


def curves(sums: Contributions) -> Finish:
    """Share of the target in particles of at least each liberation (K Eq. 8), with bands."""
    sample = sums.sample
    parts = []
    for by in liberations(sample):
        liberation, target = _known(sample, by)
        # with at least 0.3 counts a particle of exactly 0.3
        at = np.searchsorted(GRID, liberation, side="right") - 1
        parts.append((by, sums.add_classes(at, target, len(GRID)), sums.add(target)))

    def finish(found: Sums) -> Frames:
        frames = []
        for by, classes, whole in parts:
            tails = found[classes].from_on().divided_by(found[whole], classes=True)
            band = certain(falling(share(tails)), np.isfinite(tails.value) & (GRID <= 0))
            frames.append(labelled(band, by=by, threshold=GRID))
        return {"liberation_curves": pd.concat(frames, ignore_index=True)}

    return finish


def _known(sample: Sample, by: str) -> tuple[Array, Array]:
    """Liberation (-1 where it has no value) and target of each particle (0 there)."""
    liberation = sample.column(by)
    known = np.isfinite(liberation)
    target = np.where(known, sample.target_amounts, 0.0)
    return np.where(known, liberation, -1.0), target


def _percent(fraction: float) -> str:
    return f"{100 * fraction:.6g}"


def class_names(edges: Sequence[float]) -> tuple[list[str], list[tuple[float, float]]]:
    """Names of the liberation classes, which say what belongs to them, and their edges.

    Examples
    --------
    >>> class_names((0, 0.5, 1))[0]
    ['0 %', '(0-50] %', '(50-100) %', '100 %']
    """
    inner = [e for e in edges if 0 < e < 1]
    bounds = [0.0, *inner, 1.0]
    names, ranges = ["0 %"], [(0.0, 0.0)]
    for a, b in itertools.pairwise(bounds):
        names.append(f"({_percent(a)}-{_percent(b)}{')' if b == 1 else ']'} %")
        ranges.append((a, b))
    return [*names, "100 %"], [*ranges, (1.0, 1.0)]


def classes_of(liberation: Array, edges: Sequence[float]) -> NDArray[np.int64]:
    """Class of each liberation, in the order of `class_names`; -1 where it has no value."""
    bounds = np.array([0.0, *(e for e in edges if 0 < e < 1), 1.0])
    found = np.searchsorted(bounds, liberation, side="left")
    found = np.where(liberation >= 1, len(bounds), found)
    return np.where(np.isfinite(liberation) & (liberation >= 0), found, -1)


def group_names(edges: tuple[float, float]) -> list[str]:
    """Names of locked, middlings and liberated, with their edges."""
    a, b = map(_percent, edges)
    return [f"locked [0-{a}) %", f"middlings [{a}-{b}) %", f"liberated [{b}-100] %"]


def classes(sums: Contributions, settings: StatisticSettings) -> Finish:
    """Share of the target in each class of liberation, and in the groups of classes."""
    sample = sums.sample
    names, ranges = class_names(settings.class_edges)
    groups = group_names(settings.group_edges)
    parts = []
    for by in liberations(sample):
        liberation, target = _known(sample, by)
        of_class = classes_of(liberation, settings.class_edges)
        of_group = np.searchsorted(np.array(settings.group_edges), liberation, side="right")
        of_group = np.where(liberation < 0, -1, of_group)
        held = target > 0
        parts.append(
            (
                by,
                sums.add_classes(of_class, target, len(names)),
                sums.add_classes(of_group, target, len(groups)),
                sums.add(target),
                np.bincount(of_class[held], minlength=len(names)),
                np.bincount(of_group[held], minlength=len(groups)),
            )
        )

    def finish(found: Sums) -> Frames:
        by_class, by_group = [], []
        for by, in_class, in_group, whole, n_class, n_group in parts:
            by_class.append(
                labelled(
                    share(found[in_class].divided_by(found[whole], classes=True)),
                    by=by,
                    liberation_class=names,
                    lower=[r[0] for r in ranges],
                    upper=[r[1] for r in ranges],
                    n_particles=n_class,
                )
            )
            by_group.append(
                labelled(
                    share(found[in_group].divided_by(found[whole], classes=True)),
                    by=by,
                    group=groups,
                    n_particles=n_group,
                )
            )
        return {
            "liberation_classes": pd.concat(by_class, ignore_index=True),
            "liberation_groups": pd.concat(by_group, ignore_index=True),
        }

    return finish


def by_size(sums: Contributions, settings: StatisticSettings) -> Finish:
    """Target-weighted mean liberation of each size class (K Eq. 9), with intervals."""
    sample = sums.sample
    size = sample.column("equivalent_diameter_um")
    edges = classes_with_all(size, settings.size_edges_um or None)
    n = len(edges) - 1
    of_size = np.searchsorted(edges, size, side="left") - 1
    counts = np.bincount(of_size, minlength=n)
    target = sample.target_amounts
    in_class, whole = sums.add_classes(of_size, target, n), sums.add(target)
    parts = []
    for by in liberations(sample):
        liberation, known = _known(sample, by)
        parts.append(
            (
                by,
                sums.add_classes(of_size, known * liberation, n),
                sums.add_classes(of_size, known, n),
            )
        )

    def finish(found: Sums) -> Frames:
        target_share = share(found[in_class].divided_by(found[whole], classes=True))
        frames = [
            labelled(
                share(found[weighed].divided_by(found[known])),
                by=by,
                lower_um=edges[:-1],
                upper_um=edges[1:],
                n_particles=counts,
                target_share=target_share.value,
            )
            for by, weighed, known in parts
        ]
        return {"size_by_liberation": pd.concat(frames, ignore_index=True)}

    return finish


def of_each(sample: Sample) -> pd.DataFrame:
    """Volume and surface liberation, and the target, of each particle that holds any."""
    frame = sample.table.frame
    columns = [name for name in ("section", "label") if name in frame]
    found = frame[[*columns, *liberations(sample)]].assign(target=sample.target_amounts)
    return found[found["target"] > 0].reset_index(drop=True)


__all__ = [
    "GRID",
    "LIBERATIONS",
    "by_size",
    "class_names",
    "classes",
    "classes_of",
    "curves",
    "exact_curves",
    "group_names",
    "liberations",
    "of_each",
    "steps",
]
