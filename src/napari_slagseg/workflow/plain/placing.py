"""Place one map in a CT, both plain files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from napari_slagseg import io
from napari_slagseg.data import (
    CancelToken,
    GreyMap,
    MineralMap,
    PlacedMap,
    Progress,
    SlagsegError,
    no_progress,
)
from napari_slagseg.workflow.configs import RegisterConfig
from napari_slagseg.workflow.placing import (
    check_fit,
    check_hints,
    check_landmarks_of,
    correlator_for,
    hints_for,
    kept_with,
    landmarks_of,
    settings_for,
)

# an Okabe-Ito colour each, so that a table made of ids alone can be drawn


def place_files(
    ct: str | Path,
    map_file: str | Path,
    *,
    legend: str | Path | None = None,
    grey: bool = False,
    mask: str | Path | None = None,
    pixel_size_um: float,
    out: str | Path,
    coordinates: str | Path | None = None,
    voxel_size_um: float | Sequence[float] | None = None,
    raw: io.RawLayout | None = None,
    landmarks: str | Path | None = None,
    config: RegisterConfig | None = None,
    progress: Progress = no_progress,
    cancel: CancelToken | None = None,
) -> PlacedMap:
    """Place one mineral map in a CT and write where it lies.

    The result is that of the `register` step on a project of these files.

    Parameters
    ----------
    ct, map_file : path
    legend : path or None
        Phases of a mineral map.
    grey : bool
        The map is a grey image, such as BSE; it has no legend.
    mask : path or None
        Image of the map's size, zero where the map shows no sample.
    pixel_size_um : float
        Of the map.
    out : path
        JSON with cutouts and surface; written for a refused map, too. With
        ``config.start="here"`` it is also where the fit begins.
    coordinates : path or None
        NPY with the CT (z, y, x) of every map pixel, float32 (rows, columns, 3),
        NaN where not placed.
    voxel_size_um : float, (z, y, x) or None
        None takes it from the CT's metadata.
    raw : RawLayout or None
        Layout of a headerless CT.
    landmarks : path or None
        See `io.read_landmarks`; the map's name there is the stem of `map_file`.
    config : RegisterConfig or None

    Returns
    -------
    PlacedMap
        Look at `placed`: a map that could not be placed is no error.
    """
    from napari_slagseg.registration import place_map

    chosen = config or RegisterConfig()
    volume = io.read_volume(ct, voxel_size_um, raw=raw)
    mineral_map = _read_map(map_file, legend, grey, pixel_size_um, mask)
    pairs = None
    if landmarks is not None:
        pairs = landmarks_of(io.read_landmarks(landmarks), landmarks, mineral_map.name)
        check_landmarks_of(landmarks, pairs, mineral_map, volume.shape)
    previous = None
    if chosen.start == "here":
        if not Path(out).is_file():
            raise SlagsegError(
                f"{out} does not exist, so there is no placement to start from. Place the map "
                "without that option first."
            )
        previous = io.read_placed_map(out)
    check_fit(volume.shape, volume.voxel_size_um, mineral_map, chosen)
    check_hints(chosen, mineral_map, volume.shape, pairs, previous)
    found = place_map(
        volume,
        mineral_map,
        settings=settings_for(chosen),
        correlator=correlator_for(chosen),
        seed=chosen.seed,
        progress=progress,
        cancel=cancel,
        **vars(hints_for(chosen, pairs, previous)),
    )
    placed = kept_with(found, previous, chosen)
    if coordinates is not None:
        with io.atomic_file(coordinates) as temporary, temporary.open("wb") as file:
            np.save(file, placed.coordinates(), allow_pickle=False)
    io.write_placed_map(placed, out)
    return placed


def _read_map(
    path: str | Path,
    legend: str | Path | None,
    grey: bool,
    pixel_size_um: float,
    mask: str | Path | None,
) -> MineralMap | GreyMap:
    if grey == (legend is not None):
        raise SlagsegError(
            f"Give either the legend of mineral map {path} (--legend FILE), or say that it is a "
            "grey image (--grey)."
        )
    if legend is None:
        return io.read_grey_map(path, pixel_size_um, mask=mask)
    return io.read_mineral_map(path, io.read_legend(legend), pixel_size_um, mask=mask)


__all__ = ["place_files"]
