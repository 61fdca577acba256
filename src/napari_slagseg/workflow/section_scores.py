"""Descriptors of the prediction against those of the maps, on the placed maps (K Table 2)."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_slagseg.data import (
    UNKNOWN,
    CancelToken,
    GroundTruth,
    PhaseTable,
    PlacedMap,
    PlacementSurface,
    Progress,
    ProgressEvent,
    VolumeLike,
    VoxelSize,
    no_progress,
    stop_if_cancelled,
    values_at,
)
from napari_slagseg.evaluation import MatchedSections, matched_sections, score_sections
from napari_slagseg.ground_truth.rasterise import dominant_axis
from napari_slagseg.project import Project
from napari_slagseg.workflow.annotate import split

COLUMNS = ("part", "descriptor", "unit", "mae", "bias", "r2", "spearman", "n")


def section_scores(
    project: Project, *, progress: Progress = no_progress, cancel: CancelToken | None = None
) -> pd.DataFrame:
    """Scores of the descriptors of particle sections, trained on and held out.

    Every placed map is a sheet of voxels of known phase and particle (the ground truth). The
    prediction is read at these voxels, both are looked at along the axis nearest to the cut's
    normal, with the pixel's edges as long as they are on the cut, and each section of a
    map's particle is set against that of the predicted particle that it shares most with.

    Parameters
    ----------
    project : Project
        With ground truth and segmentation.
    progress, cancel
        See `napari_slagseg.data`.

    Returns
    -------
    DataFrame
        ``part`` (``training``, ``held_out``), ``descriptor``, ``unit``, ``mae``, ``bias``
        (predicted less true), ``r2``, ``spearman``, ``n`` (pairs). No rows without ground
        truth or segmentation; no part that has no whole sections.

    Raises
    ------
    SlagsegError
        If ground truth and placements do not fit each other.

    Notes
    -----
    Differs from Kirstein et al. 2026, section 3.1, in these: sections are those of the whole
    placed map, not of each cutout alone, so none is cut by a cutout's edge; sections that the
    edge of what is known cuts off are left out; lengths are in micrometres. As in their ground
    truth, the rims of map particles that touch are background.
    """
    if not (project.ground_truth_path.exists() and project.segmentation_path.exists()):
        return pd.DataFrame(columns=list(COLUMNS))
    truth = project.ground_truth()
    volumes = project.segmentation_volume("particles"), project.segmentation_volume("phases")
    table = truth.table.with_target(project.description.target)
    placed = project.placed_maps()
    training, held_out = split(truth, project)
    frames = []
    for k, (name, part) in enumerate((("training", training), ("held_out", held_out))):
        progress(ProgressEvent("comparing sections with the maps", 0.5 * k))
        if part is None or not len(part):
            continue
        matched = []
        for i, map_name in enumerate(part.map_names):
            stop_if_cancelled(cancel)
            found = sections_on_map(
                part.select(part.map_index == i), placed[map_name], volumes,
                project.voxel_size_um, table,
            )  # fmt: skip
            if found is not None:
                matched.append(found)
        if sum(m.n_truth for m in matched):
            scores = score_sections(matched)
            scores.insert(0, "part", name)
            frames.append(scores)
    if not frames:
        return pd.DataFrame(columns=list(COLUMNS))
    return pd.concat(frames, ignore_index=True)


def sections_on_map(
    truth: GroundTruth,
    placed: PlacedMap,
    volumes: tuple[VolumeLike, VolumeLike],
    voxel_size_um: VoxelSize,
    table: PhaseTable,
) -> MatchedSections | None:
    """Sections of one map's particles and their matches; None where nothing of it is known.

    Parameters
    ----------
    truth : GroundTruth
        Voxels of this map alone.
    placed : PlacedMap
    volumes : (particles, phases)
        The prediction.
    voxel_size_um : (z, y, x)
    table : PhaseTable
        With the target phase set.
    """
    if not len(truth) or placed.surface is None:
        return None
    axis = dominant_axis(placed.surface)
    plane = np.delete(truth.zyx(), axis, axis=1)
    rows, columns = (plane - plane.min(axis=0)).T
    shape = (int(rows.max()) + 1, int(columns.max()) + 1)

    def laid(values: NDArray[np.generic], fill: int) -> NDArray[np.int64]:
        out = np.full(shape, fill, dtype=np.int64)
        out[rows, columns] = values
        return out

    labels, phases = (values_at(volume, truth.voxels) for volume in volumes)
    known = np.zeros(shape, dtype=bool)
    known[rows, columns] = True
    return matched_sections(
        laid(truth.particles, UNKNOWN),
        laid(truth.phases, UNKNOWN),
        laid(labels, 0),
        laid(phases, 0),
        pixel_on_cut(placed.surface, axis, voxel_size_um),
        table,
        known=known,
    )


def pixel_on_cut(
    surface: PlacementSurface, axis: int, voxel_size_um: VoxelSize
) -> tuple[float, float]:
    """Edges (row, column), on a tilted cut, of what is one voxel wide seen along an axis.

    Parameters
    ----------
    surface : PlacementSurface
    axis : int
        That it is looked at along.
    voxel_size_um : (z, y, x)

    Returns
    -------
    (float, float)
        Micrometres. Their product is the area of the cut in one line of voxels, so areas are
        right for any tilt; lengths are to second order of the slopes.
    """
    spacing = np.asarray(voxel_size_um)
    along_rows = (surface.zyx[-1] - surface.zyx[0]).mean(axis=0) * spacing
    along_columns = (surface.zyx[:, -1] - surface.zyx[:, 0]).mean(axis=0) * spacing
    normal = np.cross(along_rows, along_columns)
    normal /= np.linalg.norm(normal)
    slopes = np.delete(normal, axis) / normal[axis]
    edges = np.delete(spacing, axis) * np.sqrt(1 + slopes**2)
    area = np.prod(np.delete(spacing, axis)) / abs(normal[axis])
    edges *= np.sqrt(area / np.prod(edges))
    return float(edges[0]), float(edges[1])


__all__ = ["COLUMNS", "pixel_on_cut", "section_scores", "sections_on_map"]
