"""Placed maps as readable JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from napari_slagseg.data import (
    Cutout,
    CutoutState,
    FieldShift,
    PlacedMap,
    PlacementSurface,
    SlagsegError,
    zyx_triple,
)
from napari_slagseg.io.formats import check_version
from napari_slagseg.io.text import json_lines, read_json, write_text

FORMAT = 1


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(float(value), digits)


def _optional(value: Any) -> float | None:
    return None if value is None else float(value)


def _score(value: Any) -> float:
    return float("nan") if value is None else float(value)


def _cutout_to_json(cutout: Cutout) -> dict[str, Any]:
    return {
        "row": cutout.row,
        "column": cutout.column,
        "height": cutout.height,
        "width": cutout.width,
        "score": round(float(cutout.score), 5),
        "accepted": cutout.accepted,
        "state": cutout.state,
        "residual_voxels": round(float(cutout.residual_voxels), 4),
        "probability": _rounded(cutout.probability, 4),
        "grade": cutout.grade,
        "step_voxels": _rounded(cutout.step_voxels, 4),
        "centre_zyx": [float(v) for v in cutout.centre_zyx],
        "row_step_zyx": [float(v) for v in cutout.row_step_zyx],
        "column_step_zyx": [float(v) for v in cutout.column_step_zyx],
    }


def write_placed_map(placed: PlacedMap, path: str | Path) -> None:
    """Write a placement as strict JSON, atomically."""
    write_text(path, placed_map_text(placed))


def placed_map_text(placed: PlacedMap) -> str:
    """What the file of a placement holds."""
    surface = placed.surface
    return json_lines(
        {
            "kind": "slagseg placement",
            "format": FORMAT,
            "map": placed.map_name,
            "placed": placed.placed,
            "probability": _rounded(placed.probability, 5),
            "reason": placed.reason,
            "score": float(placed.score),
            "mirrored": placed.mirrored,
            "map_shape": list(placed.map_shape),
            "pixel_size_um": placed.pixel_size_um,
            "ct_shape": list(placed.ct_shape),
            "voxel_size_um": list(placed.voxel_size_um),
            "details": dict(placed.details),
            "cutouts": [_cutout_to_json(c) for c in placed.cutouts],
            "fields": [vars(f) for f in placed.fields],
            "surface": None
            if surface is None
            else {
                "meaning": "CT (z, y, x) voxel coordinates at map rows x columns; "
                "a bicubic spline between them",
                "rows": surface.rows.tolist(),
                "columns": surface.columns.tolist(),
                "zyx": np.round(surface.zyx, 4).tolist(),
                "uncertainty_voxels": None
                if surface.uncertainty_voxels is None
                else np.round(surface.uncertainty_voxels, 4).tolist(),
            },
        },
    )


def _state(value: Any) -> CutoutState:
    if value not in get_args(CutoutState):
        raise ValueError(f"unknown state '{value}' of a cutout")
    state: CutoutState = value
    return state


def _uncertainty(surface: dict[str, Any]) -> NDArray[np.float64] | None:
    values = surface.get("uncertainty_voxels")
    return None if values is None else np.asarray(values, dtype=np.float64)


def _field(values: dict[str, Any]) -> FieldShift:
    return FieldShift(
        row=int(values["row"]),
        column=int(values["column"]),
        height=int(values["height"]),
        width=int(values["width"]),
        row_shift=float(values["row_shift"]),
        column_shift=float(values["column_shift"]),
    )


def read_placed_map(path: str | Path) -> PlacedMap:
    """Read a placement, or say what is wrong with the file."""
    content = read_json(path, "the placement")
    try:
        check_version(content, FORMAT, path)
        surface = content["surface"]
        cutouts = tuple(
            Cutout(
                row=int(c["row"]),
                column=int(c["column"]),
                height=int(c["height"]),
                width=int(c["width"]),
                centre_zyx=zyx_triple(c["centre_zyx"]),
                row_step_zyx=zyx_triple(c["row_step_zyx"]),
                column_step_zyx=zyx_triple(c["column_step_zyx"]),
                score=_score(c["score"]),
                state=_state(c["state"]),
                residual_voxels=float(c["residual_voxels"] or 0.0),
                probability=_optional(c.get("probability")),
                step_voxels=_optional(c.get("step_voxels")),
            )
            for c in content["cutouts"]
        )
        rows, columns = content["map_shape"]
        z, y, x = content["ct_shape"]
        return PlacedMap(
            map_name=str(content["map"]),
            map_shape=(int(rows), int(columns)),
            pixel_size_um=float(content["pixel_size_um"]),
            ct_shape=(int(z), int(y), int(x)),
            voxel_size_um=zyx_triple(content["voxel_size_um"]),
            placed=bool(content["placed"]),
            score=_score(content["score"]),
            probability=_optional(content.get("probability")),
            mirrored=bool(content["mirrored"]),
            surface=None
            if surface is None
            else PlacementSurface(
                np.asarray(surface["rows"], dtype=np.float64),
                np.asarray(surface["columns"], dtype=np.float64),
                np.asarray(surface["zyx"], dtype=np.float64),
                _uncertainty(surface),
            ),
            cutouts=cutouts,
            fields=tuple(_field(f) for f in content.get("fields", ())),
            reason=str(content["reason"]),
            details=content["details"],
        )
    except SlagsegError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise SlagsegError(
            f"{path} is not a placement, or is damaged ({type(error).__name__}: {error}). "
            "Register the map again."
        ) from error


__all__ = ["placed_map_text", "read_placed_map", "write_placed_map"]
