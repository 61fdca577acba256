"""Particles whose descriptors are known: balls, ellipsoids, boxes, tori, balls cut by a plane.

Each is turned at random and moved by a part of a voxel, then sampled at the voxels' centres.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

Truth = dict[str, float]


@dataclass(frozen=True)
class KnownShape:
    """A shape that fits a ball of a radius, and what a table should say of it.

    Attributes
    ----------
    name : str
    phase : callable
        Places (n, 3) and radius to phases: 0 outside, 1 target, 2 rest.
    truth : callable
        Radius to the value of each column.
    """

    name: str
    phase: Callable[[Any, float], Any]
    truth: Callable[[float], Truth]


def _ellipsoid_area(a: float, b: float, c: float) -> float:
    # midpoints of 400 x 400 cells; converged to 1e-6
    theta = (np.arange(400) + 0.5) * np.pi / 2 / 400
    phi = theta[:, None]
    normal = np.sqrt(
        (np.sin(theta) * np.cos(phi) / a) ** 2
        + (np.sin(theta) * np.sin(phi) / b) ** 2
        + (np.cos(theta) / c) ** 2
    )
    return float(8 * a * b * c * (np.sin(theta) * normal).mean() * (np.pi / 2) ** 2)


def _filled(volume: float, surface: float, hull: tuple[float, float], feret: tuple[float, ...],
            axes: tuple[float, ...]) -> Truth:  # fmt: skip
    return {
        "volume_um3": volume,
        "equivalent_diameter_um": (6 * volume / math.pi) ** (1 / 3),
        "surface_area_um2": surface,
        "sphericity": math.pi ** (1 / 3) * (6 * volume) ** (2 / 3) / surface,
        **dict(zip(("axis_major_um", "axis_intermediate_um", "axis_minor_um"), axes)),
        **dict(zip(("feret_max_um", "feret_min_um", "sieve_diameter_um"), feret)),
        "convex_volume_um3": hull[0],
        "convex_surface_um2": hull[1],
        "solidity": volume / hull[0],
        "convexity": hull[1] / surface,
    }


def _convex(volume: float, surface: float, feret: tuple[float, ...], axes: tuple[float, ...]) -> (
    Truth
):  # fmt: skip
    return _filled(volume, surface, (volume, surface), feret, axes)


def _ball(r: float) -> Truth:
    d = 2 * r
    return _convex(4 / 3 * math.pi * r**3, 4 * math.pi * r**2, (d, d, d), (d, d, d))


def _ellipsoid(r: float) -> Truth:
    a, b, c = r, 0.7 * r, 0.5 * r
    # w(u)^2 + w(v)^2 is least in the plane of b and c; at 45 degrees both are equal
    hole = math.sqrt(2 * (b * b + c * c))
    return _convex(
        4 / 3 * math.pi * a * b * c, _ellipsoid_area(a, b, c),
        (2 * a, 2 * c, hole), (2 * a, 2 * b, 2 * c),
    )  # fmt: skip


_BOX = (0.8, 0.5, 0.33)


def _box(r: float) -> Truth:
    a, b, c = (2 * r * edge for edge in _BOX)
    hole = min(b, (b + c) / math.sqrt(2))
    return _convex(
        a * b * c, 2 * (a * b + b * c + a * c),
        (math.sqrt(a * a + b * b + c * c), c, hole), (a, b, c),
    )  # fmt: skip


def _torus(r: float) -> Truth:
    big, small = 2 / 3 * r, r / 3
    hull = (
        # a disc, thickened by a ball (Steiner)
        2 * math.pi * big**2 * small + math.pi**2 * big * small**2 + 4 / 3 * math.pi * small**3,
        2 * math.pi * big**2 + 2 * math.pi**2 * big * small + 4 * math.pi * small**2,
    )
    return _filled(
        2 * math.pi**2 * big * small**2, 4 * math.pi**2 * big * small, hull,
        (2 * r, 2 * small, 2 * (big / math.sqrt(2) + small)), (2 * r, 2 * r, 2 * small),
    )  # fmt: skip


_CUT = 1 / 3
"""Height of the plane over the middle of the ball, in radii."""


def _cap(r: float) -> Truth:
    h = _CUT * r
    disc = math.pi * (r * r - h * h)
    surface = 4 * math.pi * r * r
    cap = math.pi * (r - h) ** 2 * (2 * r + h) / 3
    return {
        "volume_liberation": (r - h) ** 2 * (2 * r + h) / (4 * r**3),
        "surface_liberation": (r - h) / (2 * r),
        "exposed_target_area_um2": 2 * math.pi * r * (r - h),
        "intergrowth_boundary_um2": disc,
        "amstutz_giger_index": disc / (disc + surface),
        "normalized_intergrowth_boundary": math.pi ** (1 / 3) * (6 * cap) ** (2 / 3) / disc,
    }


def _in_torus(p: Any, r: float) -> Any:
    ring = np.hypot(p[:, 0], p[:, 1]) - 2 / 3 * r
    return (ring**2 + p[:, 2] ** 2 <= (r / 3) ** 2).astype(np.uint8)


SHAPES = (
    KnownShape("ball", lambda p, r: ((p**2).sum(1) <= r * r).astype(np.uint8), _ball),
    KnownShape(
        "ellipsoid, 1 : 0.7 : 0.5",
        lambda p, r: (((p / (r, 0.7 * r, 0.5 * r)) ** 2).sum(1) <= 1).astype(np.uint8),
        _ellipsoid,
    ),
    KnownShape(
        "box, 0.8 : 0.5 : 0.33",
        lambda p, r: (np.abs(p) <= np.multiply(_BOX, r)).all(1).astype(np.uint8),
        _box,
    ),
    KnownShape("torus, 2/3 : 1/3", _in_torus, _torus),
    KnownShape(
        "ball of two phases, cut at 1/3 of the radius",
        lambda p, r: np.where((p**2).sum(1) <= r * r, np.where(p[:, 0] >= _CUT * r, 1, 2), 0)
        .astype(np.uint8),
        _cap,
    ),
)  # fmt: skip


def sampled(
    shape: KnownShape, radius: float, n: int, seed: int = 0,
    spacing: tuple[float, float, float] = (1.0, 1.0, 1.0),
) -> Iterator[Any]:  # fmt: skip
    """`n` volumes of phases with the shape, each turned and moved in its own way."""
    rng = np.random.default_rng(seed)
    half = [int(radius / edge) + 3 for edge in spacing]
    grid = np.indices([2 * h + 1 for h in half]).reshape(3, -1).T - half
    for _ in range(n):
        turn = Rotation.random(rng=rng).as_matrix()
        places = (grid + rng.uniform(-0.5, 0.5, 3)) * spacing
        yield shape.phase(places @ turn, radius).reshape([2 * h + 1 for h in half])


__all__ = ["SHAPES", "KnownShape", "sampled"]
