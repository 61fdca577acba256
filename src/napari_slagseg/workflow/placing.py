"""What the placement of a map needs besides the map: checks, settings, hints, and what is kept.

`register` on a project and `place` on plain files both go through here, so the same
input gives the same result.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ctypes.util import find_library
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_slagseg.data import (
    Cutout,
    GreyMap,
    Landmarks,
    MineralMap,
    PlacedMap,
    SlagsegError,
    VoxelSize,
)
from napari_slagseg.workflow.configs import RegisterConfig

if TYPE_CHECKING:
    # numba comes with it, and help should not wait for that
    from napari_slagseg.registration import Hints, RegistrationSettings
    from napari_slagseg.registration.slice_correlator import CorrelatorFactory


def settings_for(config: RegisterConfig) -> RegistrationSettings:
    """Numbers of the registration for a configuration."""
    from napari_slagseg.registration import RegistrationSettings

    settings = RegistrationSettings()
    tolerance = config.size_tolerance
    if tolerance is None:
        return settings
    # a map whose size is known that badly may seem so much larger than the CT, too
    return replace(
        settings,
        pixel_size_tolerance=tolerance,
        size_tolerance=max(settings.size_tolerance, tolerance),
    )


def correlator_for(config: RegisterConfig) -> CorrelatorFactory | None:
    """Correlator of the coarse search for a configuration; None for that on the CPU.

    Raises
    ------
    SlagsegError
        If the device that was asked for is not there.
    """
    if config.device == "cpu" or (config.device == "auto" and not _gpu_driver()):
        return None
    from napari_slagseg.networks import TorchSliceCorrelator
    from napari_slagseg.networks.checkpoints import pick_device

    device = pick_device(config.device)
    if device.type == "cpu":
        return None
    return partial(TorchSliceCorrelator, device=str(device))


def _gpu_driver() -> bool:
    """Whether there can be a GPU at all: to ask torch for one takes seconds."""
    return Path("/proc/driver/nvidia").exists() or any(map(find_library, ("cuda", "nvcuda")))


def check_fit(
    ct_shape: tuple[int, int, int],
    voxel_size_um: VoxelSize,
    mineral_map: MineralMap | GreyMap,
    config: RegisterConfig | None = None,
) -> None:
    """Refuse a map that cannot be placed, before seconds go into preparing the CT.

    Raises
    ------
    SlagsegError
        As `registration.checks.check_map`.
    """
    from napari_slagseg.registration.checks import check_map

    settings = settings_for(config or RegisterConfig())
    check_map(ct_shape, voxel_size_um, mineral_map, settings.size_tolerance)


def check_hints(
    config: RegisterConfig,
    mineral_map: MineralMap | GreyMap,
    ct_shape: tuple[int, int, int],
    landmarks: Landmarks | None,
    previous: PlacedMap | None,
) -> None:
    """Refuse what is said of a map and cannot be used.

    Parameters
    ----------
    config : RegisterConfig
    mineral_map : MineralMap
    ct_shape : (z, y, x)
    landmarks : Landmarks or None
    previous : PlacedMap or None
        Its stored placement.

    Raises
    ------
    SlagsegError
        If the fields cannot make up the map, the landmarks cannot place it, the height
        window lies outside of the CT, there is nothing to start from, or a cutout does not exist.
    """
    from napari_slagseg.registration.checks import check_field_size
    from napari_slagseg.registration.steering import check_landmarks

    check_field_size(mineral_map, config.field_size)
    name, window = mineral_map.name, config.height_window
    if window is not None and (window[1] < 0 or window[0] > ct_shape[0] - 1):
        raise SlagsegError(
            f"The height window {window[0]:g} to {window[1]:g} lies outside the CT, whose slices "
            f"are 0 to {ct_shape[0] - 1}."
        )
    if landmarks is not None:
        check_landmarks(landmarks, mineral_map, ct_shape)
    if config.start != "here":
        return
    if previous is None or previous.surface is None:
        raise SlagsegError(
            f"Map {name} lies nowhere yet, so it cannot be fitted from here. Place it by a search "
            "or by landmarks first."
        )
    if previous.map_shape != mineral_map.shape or previous.ct_shape != tuple(ct_shape):
        raise SlagsegError(
            f"The placement to start from belongs to a map of {_times(previous.map_shape)} pixels "
            f"in a CT of {_times(previous.ct_shape)} voxels; map {name} has "
            f"{_times(mineral_map.shape)} pixels and the CT {_times(ct_shape)} voxels."
        )
    count = len(previous.cutouts)
    missing = [k for k in config.cutouts if not 0 <= k < count]
    if missing:
        raise SlagsegError(
            f"Map {name} has no cutout {', '.join(map(str, missing))}: it has {count}, numbered "
            f"from 0{f' to {count - 1}' if count else ''}."
        )


def _times(numbers: Sequence[int]) -> str:
    return " x ".join(map(str, numbers))


def hints_for(
    config: RegisterConfig, landmarks: Landmarks | None, previous: PlacedMap | None
) -> Hints:
    """What is known of a map.

    The previous placement gives its locked cutouts; with ``start="here"`` it is where
    the fit begins, and with ``cutouts`` all others of it are held as if locked.
    Landmarks restrict a search, and from here there is none.
    """
    from napari_slagseg.registration import Hints

    here = config.start == "here"
    chosen = set(config.cutouts)
    cutouts = () if previous is None else previous.cutouts
    return Hints(
        height_window=config.height_window,
        angle_deg=config.angle,
        mirror=config.mirror,
        landmarks=None if here else landmarks,
        field_size=config.field_size,
        start=previous if here else None,
        locked=tuple(
            replace(c, state="locked")
            for k, c in enumerate(cutouts)
            if k not in chosen and (c.state == "locked" or (chosen and c.accepted))
        ),
    )


def kept_with(found: PlacedMap, previous: PlacedMap | None, config: RegisterConfig) -> PlacedMap:
    """What a run found, with what it must not change.

    Locked cutouts survive every run. Where only some cutouts were to be registered
    again, all else stays as it was, and the surface is laid through them anew.
    """
    if previous is None:
        return found
    if config.start == "here" and config.cutouts:
        return _only(previous, found, config.cutouts)
    locked = [c for c in previous.cutouts if c.state == "locked"]
    return _with_locked(found, locked) if locked else found


def _window(cutout: Cutout) -> tuple[int, int, int, int]:
    return (cutout.row, cutout.column, cutout.height, cutout.width)


def _only(previous: PlacedMap, found: PlacedMap, chosen: Sequence[int]) -> PlacedMap:
    from napari_slagseg.registration.steering import hold_surface, refit_surface

    new = {_window(c): c for c in found.cutouts}
    cutouts = list(previous.cutouts)
    for k in chosen:
        old = cutouts[k]
        if _window(old) in new:
            again = new[_window(old)]
            cutouts[k] = replace(again, state=old.state) if old.state == "locked" else again
    placed = hold_surface(replace(previous, cutouts=tuple(cutouts)))
    locked = all(cutouts[k].state == "locked" for k in chosen)
    return placed if locked else refit_surface(placed)


def _with_locked(found: PlacedMap, locked: Sequence[Cutout]) -> PlacedMap:
    from napari_slagseg.registration.steering import hold_surface

    cutouts = list(found.cutouts)
    places = {_window(c): k for k, c in enumerate(cutouts)}
    changed = False
    for c in locked:
        k = places.get(_window(c))
        if k is None:
            cutouts.append(c)
        elif cutouts[k].state == "locked" and _same_pose(cutouts[k], c):
            continue
        else:
            cutouts[k] = c
        changed = True
    if not changed:
        return found
    placed = replace(found, cutouts=tuple(cutouts))
    return placed if placed.surface is None else hold_surface(placed)


def _same_pose(a: Cutout, b: Cutout) -> bool:
    names = ("centre_zyx", "row_step_zyx", "column_step_zyx")
    return all(np.allclose(getattr(a, n), getattr(b, n), rtol=0, atol=1e-6) for n in names)


def check_landmarks_of(
    path: str | Path,
    landmarks: Landmarks,
    mineral_map: MineralMap | GreyMap,
    ct_shape: tuple[int, int, int],
) -> None:
    """Refuse landmarks of a file that cannot place a map.

    Raises
    ------
    SlagsegError
        As `registration.steering.check_landmarks`, with the file's name.
    """
    from napari_slagseg.registration.steering import check_landmarks

    try:
        check_landmarks(landmarks, mineral_map, ct_shape)
    except SlagsegError as error:
        raise SlagsegError(f"{path}: {error}") from error


def landmarks_of(landmarks: Mapping[str, Landmarks], path: str | Path, name: str) -> Landmarks:
    """Landmarks of one map in a file, which may name no map at all.

    Raises
    ------
    SlagsegError
        If the file holds none of this map.
    """
    if name in landmarks:
        return landmarks[name]
    if set(landmarks) == {""}:
        return landmarks[""]
    named = ", ".join(sorted(n for n in landmarks if n)) or "no map"
    raise SlagsegError(
        f"{path} holds landmarks of {named}, but none of {name}. Write {name} in its column 'map', "
        "or leave that column out if all of them are of this map."
    )


def describe(placed: PlacedMap | None) -> dict[str, Any]:
    """A placement in a few JSON values.

    Returns
    -------
    dict
        ``state`` ("placed", "refused", "by hand" or "not placed"), ``placed``,
        ``probability``, ``score``, ``accepted_cutouts``, ``locked_cutouts``,
        ``cutouts``, ``mirrored``, ``reason``, ``refused_because``.
    """
    if placed is None:
        return {"state": "not placed", "placed": False}
    state = "placed" if placed.placed else "refused"
    if placed.placed and placed.details.get("by_hand"):
        state = "by hand"
    return {
        "state": state,
        "placed": placed.placed,
        "probability": placed.probability,
        "score": round(placed.score, 4),
        "accepted_cutouts": sum(c.accepted for c in placed.cutouts),
        "locked_cutouts": sum(c.state == "locked" for c in placed.cutouts),
        "cutouts": len(placed.cutouts),
        "mirrored": placed.mirrored,
        "reason": placed.reason,
        "refused_because": list(placed.details.get("refused_because", ())),
    }


__all__ = [
    "check_fit",
    "check_hints",
    "check_landmarks_of",
    "correlator_for",
    "describe",
    "hints_for",
    "kept_with",
    "landmarks_of",
    "settings_for",
]
