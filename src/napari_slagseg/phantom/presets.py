"""Sizes of phantoms, and how badly they are degraded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from napari_slagseg.data import Phase, PhaseTable

Preset = Literal["tiny", "sample", "512", "slab", "coarse", "full"]
Degradation = Literal["easy", "medium", "hard", "extreme"]

VOXEL_UM = 2.3
"""Voxel size of K's CT (Table 1)."""

PIXEL_UM = 1.0
"""Pixel size of K's SEM-EDS maps."""

PHASES = PhaseTable(
    (
        Phase(0, "background", "#000000"),
        Phase(1, "LiAlO2", "#d55e00", "", "LiAlO2", 2.62),
        Phase(2, "eucryptite", "#56b4e9", "Ecr", "LiAlSiO4", 2.67),
        Phase(3, "gehlenite", "#009e73", "Gh", "Ca2Al2SiO7", 3.03, "other phases"),
        Phase(4, "spinel", "#cc79a7", "Spl", "MgAl2O4", 3.58, "other phases"),
        Phase(5, "magnetite", "#f0e442", "Mag", "Fe3O4", 5.17, "other phases"),
    ),
    target="LiAlO2",
)
"""The slag of the phantoms: K's classes, the rest grouped."""

AIR_GREY = 0.05
GREYS = (0.22, 0.45, 0.49, 0.66, 0.74, 0.95)
"""Noise-free grey value by phase id (epoxy first), as a share of the 16-bit range used.

LiAlO2 and eucryptite are nearly equal, as in a real scan: what tells them apart
is a small step in grey and the shape of their grains.
"""


@dataclass(frozen=True)
class SizeFraction:
    """Particles of one sieve fraction.

    Attributes
    ----------
    low_um, high_um : float
        Range of the volume-equivalent diameter.
    share : float
        Share of the solid volume.
    """

    low_um: float
    high_um: float
    share: float


FINES = SizeFraction(20.0, 45.0, 0.08)
FINE = SizeFraction(63.0, 100.0, 0.92)
WITH_COARSE = (
    SizeFraction(20.0, 45.0, 0.05),
    SizeFraction(63.0, 100.0, 0.45),
    SizeFraction(100.0, 250.0, 0.5),
)
"""The coarse fraction of K (100 to 250 um) beside the fine one and fines."""


@dataclass(frozen=True)
class PhantomSize:
    """Size of a phantom.

    Attributes
    ----------
    shape : (z, y, x)
        Voxels of the CT.
    scale : float
        Factor on all particle sizes; below 1 to fit more particles in.
    fractions : tuple of SizeFraction
        Shares add up to 1.
    solid : float
        Share of solid wanted in the cylinder.
    n_maps : int
    subsamples : int
        Sample points along each edge of a voxel, for partial volume and exact volumes.
    """

    shape: tuple[int, int, int]
    scale: float
    fractions: tuple[SizeFraction, ...]
    solid: float
    n_maps: int
    subsamples: int


PRESETS: dict[str, PhantomSize] = {
    "tiny": PhantomSize((56, 96, 96), 0.45, (FINES, FINE), 0.40, 2, 2),
    "sample": PhantomSize((144, 224, 224), 0.60, (FINES, FINE), 0.42, 4, 2),
    "512": PhantomSize((512, 512, 512), 1.0, WITH_COARSE, 0.30, 5, 2),
    # for registration: as wide as needed for many cutouts, no higher than needed
    "slab": PhantomSize((160, 416, 416), 1.0, (FINES, FINE), 0.42, 3, 2),
    "coarse": PhantomSize((160, 416, 416), 1.0, WITH_COARSE, 0.36, 3, 2),
    # for speed: K's cross-section; eight points a voxel would take a quarter of an hour
    "full": PhantomSize((400, 1000, 1000), 1.0, (FINES, FINE), 0.42, 1, 1),
}
"""Sizes by name. The place in this list is part of the seed: new ones go to the end."""

DEMO_PRESET: Preset = "sample"
DEMO_DEGRADATION: Degradation = "easy"
DEMO_SEED = 0
"""Sample of the demo, of ``sample_data`` and of napari's *Open Sample*."""


@dataclass(frozen=True)
class DegradationLevel:
    """How far CT and maps are from ideal.

    Attributes
    ----------
    noise, blur_voxels, cupping, rings
        Of the CT: strength of the noise (its standard deviation is 1.17 times as
        much, in shares of the grey range), sigma of the Gaussian, rise of grey from
        axis to rim (share of the grey halfway in area), standard deviation of the rings.
    tilt_deg, sag
        Of the cut: largest tilt, and depth of its curvature as a share of the
        map's edge.
    torn, mislabelled, rim, speckle, unknown
        Of the maps: share of particles torn out, of wrong area, of wrong pixels
        in particle rims, of wrong single pixels, of unknown pixels.
    pixel_error
        Largest relative error of the stated pixel size.
    """

    noise: float
    blur_voxels: float
    cupping: float
    rings: float
    tilt_deg: float
    sag: float
    torn: float
    mislabelled: float
    rim: float
    speckle: float
    unknown: float
    pixel_error: float


LEVELS: dict[str, DegradationLevel] = {
    "easy": DegradationLevel(
        0.012, 0.6, 0.06, 0.004, 1.5, 0.006, 0.02, 0.01, 0.05, 0.001, 0.002, 0.002
    ),
    "medium": DegradationLevel(
        0.025, 0.8, 0.10, 0.010, 3.0, 0.012, 0.08, 0.05, 0.12, 0.004, 0.005, 0.006
    ),
    "hard": DegradationLevel(
        0.045, 1.0, 0.16, 0.020, 5.0, 0.020, 0.20, 0.12, 0.20, 0.010, 0.010, 0.015
    ),
    "extreme": DegradationLevel(
        0.075, 1.2, 0.25, 0.035, 8.0, 0.028, 0.40, 0.25, 0.30, 0.020, 0.020, 0.040
    ),
}

__all__ = [
    "AIR_GREY",
    "DEMO_DEGRADATION",
    "DEMO_PRESET",
    "DEMO_SEED",
    "GREYS",
    "LEVELS",
    "PHASES",
    "PIXEL_UM",
    "PRESETS",
    "VOXEL_UM",
    "Degradation",
    "DegradationLevel",
    "PhantomSize",
    "Preset",
    "SizeFraction",
]
