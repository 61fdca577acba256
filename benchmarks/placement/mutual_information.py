"""SimpleITK: each cutout registered 2D-in-3D by mutual information.

Starts from the plane through the surface that our placement found: rotation, mirror
state, tilt and height are given, curvature is not. Mattes mutual information between
the cutout's expected grey value (by density) and the CT, six degrees of freedom, regular
step gradient descent, three levels. The metric's gradient filter for the moving image is off
(with it a cutout takes seconds).
"""

from __future__ import annotations

import importlib.util
import time
from typing import Any

import numpy as np
from benchmarks.placement.measuring import PeakMemory, Row
from benchmarks.placement.rigid_pose import Pose, Window, fill, fitted_pose, windows
from benchmarks.placement.samples import Sample
from numpy.typing import NDArray
from scipy import ndimage

from napari_slagseg.data import PlacedMap, Volume
from napari_slagseg.phantom import PhantomMap

METHOD = "SimpleITK, MI"
EPOXY_DENSITY = 1.1
LEVELS = ((4.0, 4), (2.0, 2), (0.8, 1))
"""Smoothing in voxels, and step between the cutout's pixels in voxels."""

MARGIN = 28
"""Voxels of the CT kept around a cutout."""


def rows(row: Any, sample: Sample, cut: PhantomMap, ours: PlacedMap | None) -> list[Row]:
    """One row, or none with a reason."""
    r: Row = row(METHOD, "", cut.mineral_map.name)
    if importlib.util.find_spec("SimpleITK") is None:
        r.verdict, r.reason = "skipped", "SimpleITK is not installed"
        return [r]
    if ours is None or ours.surface is None:
        r.verdict, r.reason = "skipped", "our placement has no surface to start from"
        return [r]
    pitch = cut.mineral_map.pixel_size_um / sample.ct.voxel_size_um[1]
    start = _plane(ours)
    started, cpu = time.perf_counter(), time.process_time()
    with PeakMemory() as memory:
        image = _expected_grey(cut, pitch)
        ct = {s: ndimage.gaussian_filter(_float(sample.ct), s) for s, _ in LEVELS}
        middle = (np.array(cut.mineral_map.shape) - 1) / 2
        placed = []
        for window in windows(sample, cut, pitch):
            off = (np.array(window.middle) - middle) * pitch
            pose = Pose(start.at(*off[:, None])[0], start.frame)
            placed.append((window, _register(ct, image, window, pose, pitch)))
    r.seconds, r.cpu_seconds = time.perf_counter() - started, time.process_time() - cpu
    r.peak_mb = memory.megabytes
    fill(r, sample, cut, pitch, placed)
    r.mirror_right = ours.mirrored == cut.mirrored
    return [r]


def _float(ct: Volume) -> NDArray[np.float32]:
    return np.asarray(ct.data, np.float32)


def _plane(ours: PlacedMap) -> Pose:
    n = ours.map_shape
    rows, columns = np.meshgrid(*(np.linspace(0, k - 1, 15) for k in n), indexing="ij")
    assert ours.surface is not None
    middle = ((n[0] - 1) / 2, (n[1] - 1) / 2)
    return fitted_pose(rows, columns, ours.surface.at(rows, columns), middle)


def _expected_grey(cut: PhantomMap, pitch: float) -> NDArray[np.float32]:
    """Density above that of epoxy, averaged over a CT voxel; unknown pixels take no part."""
    table = cut.mineral_map.table
    density = np.zeros(max(table.ids) + 2, np.float32)
    for phase in table:
        if phase.density_g_cm3:
            density[phase.id] = phase.density_g_cm3 - EPOXY_DENSITY
    phases = cut.mineral_map.phases
    known = (phases >= 0).astype(np.float32)
    grey = ndimage.uniform_filter(np.where(phases >= 0, density[phases], 0), 1 / pitch)
    return grey / np.maximum(ndimage.uniform_filter(known, 1 / pitch), 1e-3)


def _register(
    ct: dict[float, NDArray[np.float32]],
    image: NDArray[np.float32],
    window: Window,
    pose: Pose,
    pitch: float,
) -> Pose:
    import SimpleITK as sitk  # noqa: N813

    half = window.height * pitch / 2
    for smoothing, step in LEVELS:
        # the cutout on a grid of voxels, its middle at the origin of its own space
        n = int(half / step)
        line = np.arange(-n, n + 1) * float(step)
        v, u = np.meshgrid(line, line, indexing="ij")
        blurred = ndimage.gaussian_filter(
            image[
                window.row : window.row + window.height,
                window.column : window.column + window.width,
            ],
            smoothing / pitch,
        )
        at = [v / pitch + (window.height - 1) / 2, u / pitch + (window.width - 1) / 2]
        values = ndimage.map_coordinates(blurred, at, order=1, mode="nearest")
        fixed = sitk.GetImageFromArray(values[None].astype(np.float32))
        fixed.SetSpacing((float(step), float(step), 1.0))
        fixed.SetOrigin((-n * float(step), -n * float(step), 0.0))
        corners = pose.at(*np.meshgrid([-half, half], [-half, half], indexing="ij"))
        shape = np.array(ct[smoothing].shape)
        low = np.clip(corners.min(axis=(0, 1)) - MARGIN, 0, shape - 2).astype(int)
        high = np.clip(corners.max(axis=(0, 1)) + MARGIN, low + 2, shape).astype(int)
        box = ct[smoothing][low[0] : high[0], low[1] : high[1], low[2] : high[2]]
        moving = sitk.GetImageFromArray(np.ascontiguousarray(box))
        moving.SetOrigin(tuple(float(a) for a in low[::-1]))
        transform = sitk.Euler3DTransform()
        transform.SetCenter((0.0, 0.0, 0.0))
        # columns: where the fixed image's x, y, z run in the CT's (x, y, z)
        axes = np.stack([pose.frame[1], pose.frame[0], pose.frame[2]])[:, ::-1].T
        transform.SetMatrix(axes.ravel().tolist(), 1e-6)
        transform.SetTranslation(pose.centre[::-1].tolist())
        method = sitk.ImageRegistrationMethod()
        method.SetMetricAsMattesMutualInformation(32)
        method.MetricUseMovingImageGradientFilterOff()
        method.MetricUseFixedImageGradientFilterOff()
        method.SetMetricSamplingStrategy(method.NONE)
        method.SetInterpolator(sitk.sitkLinear)
        method.SetOptimizerAsRegularStepGradientDescent(
            learningRate=float(step), minStep=0.01, numberOfIterations=100, relaxationFactor=0.6
        )
        method.SetOptimizerScales([half**2] * 3 + [1.0] * 3)
        method.SetInitialTransform(transform, inPlace=True)
        try:
            method.Execute(fixed, moving)
        except RuntimeError:
            # all samples left the CT: the cutout stays where it was
            return pose
        matrix = np.array(transform.GetMatrix()).reshape(3, 3)
        frame = np.stack([matrix[:, 1], matrix[:, 0], matrix[:, 2]])[:, ::-1]
        pose = Pose(np.array(transform.GetTranslation())[::-1], frame)
    return pose
