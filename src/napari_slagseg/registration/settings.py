"""The numbers of the placement, with their defaults."""

from __future__ import annotations

from dataclasses import dataclass

from napari_slagseg.data import SlagsegError


@dataclass(frozen=True)
class RegistrationSettings:
    """Every number that steers the placement.

    Lengths in "voxels" are multiples of the CT's mean in-plane voxel edge, so that
    they mean the same along all axes where voxels are not cubic.

    Attributes
    ----------
    coarsest_level : int
        Box edge in voxels of the coarsest level of the pyramid.
    minimum_coarse_extent : int
        The coarse search takes the coarsest level at which a square as large as the
        map still has sides of this many pixels, and its shorter side three quarters.
    ring_smoothing_voxels : float
        Length along z over which the angular means (rings, cupping) are smoothed.
    ct_blur_voxels : float
        Standard deviation of the CT's blur, given to the map as well.
    smoothing_pixels : float
        Standard deviation of the smoothing of CT and map at the fine levels, in
        pixels of the level; it evens out the noise that interpolation leaves.
    maximum_phases : int
        Rarer phases are fitted as one.
    patch_radius : float
        Radius of the coarse search's round patches, in coarse pixels.
    maximum_patches : int
    first_patches, kept_angles : int
        So many patches are tried at all angles and both mirror states, all of them at
        so many of the best ones.
    angle_step_deg : float
        Step of the in-plane angle in the coarse search.
    sub_angles : int
        Angles inside one step at which the patches are added up.
    maximum_tilt_deg : float
    positions_per_angle : int
        Best positions of each angle that go on to the vote for the plane.
    candidates : int
        Distinct poses that are fitted.
    finalists : int
        Candidates that go on to the next finer level.
    pixel_size_tolerance : float
        Standard deviation of the relative error of the pixel size.
    curvature_voxels, warp_voxels : float
        Standard deviation of the sag across half the map, in height and in plane.
    cutout_voxels, stride_voxels : int
        Edge and step of the cutouts (K 2.3.1: 180 with overlap); smaller maps take
        cutouts in the same proportion to their own size.
    minimum_cutout_voxels : int
    minimum_valid, minimum_particles : float
        Shares of a cutout that must be known and inside the CT, and particle.
    window_voxels : int
        Edge of the small windows that follow, in proportion to the cutouts' edge.
    minimum_window_voxels : int
    uncertainty_factor : float
        What the stated uncertainty of the smooth field is multiplied by: errors on
        phantoms were that much larger than it (`benchmarks/placement`).
    least_uncertainty_voxels : float
        Added to it in quadrature.
    outlier_voxels : float
        Cutouts further than this from the consensus are outliers.
    accept_distance_voxels : float
        Largest distance from the consensus of an accepted cutout.
    accept_step_voxels : float
        Largest step inside of one, as across a crack.
    accept_relative_correlation : float
        Smallest correlation of an accepted cutout, as a share of the median.
    accept_probability : float
        Least probability of an accepted map.
    sure_probability : float
        Below it an accepted map comes with a warning.
    accept_cutouts : float
        Least share of accepted cutouts of an accepted map.
    usual_score, usual_ratio, usual_coverage, usual_lost, usual_uncertainty_voxels : float
        What is named where a map is refused or doubtful: correlation and ratio to the
        second place that maps of the sample reach, least share of the map inside the
        CT, largest share of rejected cutouts, largest uncertainty.
    small_map_voxels : int
        Below this extent wrong places can look right.
    size_tolerance : float
        How much larger than the CT a map may be.
    lattice_voxels : float
        Distance of the surface's lattice points.
    """

    coarsest_level: int = 8
    minimum_coarse_extent: int = 44
    ring_smoothing_voxels: float = 48.0
    ct_blur_voxels: float = 0.9
    smoothing_pixels: float = 0.7
    maximum_phases: int = 8
    patch_radius: float = 14.0
    maximum_patches: int = 14
    first_patches: int = 6
    kept_angles: int = 24
    angle_step_deg: float = 5.0
    sub_angles: int = 3
    maximum_tilt_deg: float = 10.0
    positions_per_angle: int = 4
    candidates: int = 16
    finalists: int = 3
    pixel_size_tolerance: float = 0.03
    curvature_voxels: float = 10.0
    warp_voxels: float = 1.0
    cutout_voxels: int = 180
    stride_voxels: int = 60
    minimum_cutout_voxels: int = 36
    minimum_valid: float = 0.6
    minimum_particles: float = 0.05
    window_voxels: int = 96
    minimum_window_voxels: int = 36
    uncertainty_factor: float = 2.1
    least_uncertainty_voxels: float = 0.1
    outlier_voxels: float = 1.5
    accept_distance_voxels: float = 2.0
    accept_step_voxels: float = 2.0
    accept_relative_correlation: float = 0.75
    accept_probability: float = 0.7
    sure_probability: float = 0.97
    accept_cutouts: float = 0.3
    usual_score: float = 0.53
    usual_ratio: float = 1.25
    usual_coverage: float = 0.6
    usual_lost: float = 0.3
    usual_uncertainty_voxels: float = 1.5
    small_map_voxels: int = 160
    size_tolerance: float = 0.25
    lattice_voxels: float = 16.0

    def __post_init__(self) -> None:
        if self.coarsest_level not in (1, 2, 4, 8, 16):
            raise SlagsegError(
                f"The coarsest level is {self.coarsest_level}; it must be 1, 2, 4, 8 or 16."
            )
        for name in (
            "patch_radius", "maximum_patches", "first_patches", "kept_angles", "angle_step_deg",
            "sub_angles",
        ):  # fmt: skip
            if not getattr(self, name) > 0:
                raise SlagsegError(f"{name} is {getattr(self, name)}; it must be above 0.")


__all__ = ["RegistrationSettings"]
