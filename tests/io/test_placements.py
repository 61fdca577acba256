from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_slagseg.data import Cutout, FieldShift, PlacedMap, PlacementSurface, SlagsegError
from napari_slagseg.io import read_placed_map, write_placed_map


@pytest.fixture
def placed() -> PlacedMap:
    rows, columns = np.linspace(-1, 60, 5), np.linspace(-1, 90, 6)
    r, c = np.meshgrid(rows, columns, indexing="ij")
    zyx = np.stack([10 + 0.01 * r + 1e-4 * c**2, 3 + 0.4 * r, 5 + 0.4 * c], axis=-1)
    cutout = Cutout(0, 0, 60, 45, (10.5, 15.0, 14.0), (0.01, 0.4, 0.0), (0.0, 0.0, 0.4), 0.81)
    return PlacedMap(
        map_name="section A",
        map_shape=(60, 90),
        pixel_size_um=1.2,
        ct_shape=(40, 50, 60),
        voxel_size_um=(3.0, 3.0, 3.0),
        placed=True,
        score=0.77,
        mirrored=True,
        surface=PlacementSurface(rows, columns, zyx, np.full((5, 6), 0.25)),
        cutouts=(
            cutout,
            replace(
                cutout,
                column=45,
                score=0.3,
                state="rejected",
                residual_voxels=4.5,
                probability=0.25,
                step_voxels=1.5,
            ),
            replace(cutout, row=10, state="locked"),
        ),
        probability=0.98,
        fields=(FieldShift(0, 0, 60, 45, 1.5, -0.25),),
        details={"tilt_deg": np.float64(1.5), "ratio": float("inf"), "tried": np.arange(3)},
    )


def test_round_trip(tmp_path: Path, placed: PlacedMap) -> None:
    write_placed_map(placed, tmp_path / "placed.json")
    again = read_placed_map(tmp_path / "placed.json")
    assert again.cutouts == placed.cutouts
    assert replace(again, surface=None, details={}) == replace(placed, surface=None, details={})
    np.testing.assert_allclose(again.coordinates(), placed.coordinates(), atol=1e-4)
    assert again.surface.uncertainty_voxels.tolist() == [[0.25] * 6] * 5
    assert again.details == {"tilt_deg": 1.5, "ratio": None, "tried": [0, 1, 2]}


def test_json_is_strict_and_has_the_agreed_fields(tmp_path: Path, placed: PlacedMap) -> None:
    write_placed_map(replace(placed, score=float("nan")), tmp_path / "placed.json")

    def refuse(constant: str) -> float:
        raise AssertionError(constant)

    content = json.loads((tmp_path / "placed.json").read_text(), parse_constant=refuse)
    assert {"row", "column", "height", "width", "score", "accepted"} <= set(content["cutouts"][0])
    assert [c["accepted"] for c in content["cutouts"]] == [True, False, True]
    assert set(content["surface"]) >= {"rows", "columns", "zyx"}
    assert np.isnan(read_placed_map(tmp_path / "placed.json").score)


def test_files_from_before_probabilities_and_uncertainty_are_read(
    tmp_path: Path, placed: PlacedMap
) -> None:
    path = tmp_path / "placed.json"
    write_placed_map(placed, path)
    content = json.loads(path.read_text())
    del content["probability"], content["fields"], content["surface"]["uncertainty_voxels"]
    for cutout in content["cutouts"]:
        del cutout["probability"], cutout["step_voxels"], cutout["grade"]
    path.write_text(json.dumps(content))
    again = read_placed_map(path)
    assert again.probability is None
    assert again.fields == ()
    assert again.cutouts[1].grade == "unknown"
    assert np.isnan(again.uncertainty()).all()


def test_refused_map(tmp_path: Path, placed: PlacedMap) -> None:
    refused = replace(
        placed, placed=False, surface=None, cutouts=(), reason="nothing like it in the CT"
    )
    write_placed_map(refused, tmp_path / "placed.json")
    again = read_placed_map(tmp_path / "placed.json")
    assert not again.placed
    assert again.surface is None
    assert again.reason == "nothing like it in the CT"


def test_damaged_and_newer(tmp_path: Path, placed: PlacedMap) -> None:
    path = tmp_path / "placed.json"
    write_placed_map(placed, path)
    content = json.loads(path.read_text())
    for change, message in (
        ({"format": 99}, "format version 99, written by a newer"),
        ({"format": "x"}, "format version x"),
        ({"map_shape": [1]}, r"placed\.json is not a placement, or is damaged"),
        ({"cutouts": [{"row": 1}]}, "is damaged"),
        ({"cutouts": [content["cutouts"][0] | {"state": "odd"}]}, "unknown state 'odd'"),
        ({"surface": {"rows": [], "columns": [], "zyx": []}}, "placement surface"),
    ):
        path.write_text(json.dumps(content | change))
        with pytest.raises(SlagsegError, match=message):
            read_placed_map(path)
    for text in ("[]", "3", "{}"):
        path.write_text(text)
        with pytest.raises(SlagsegError, match="is not a placement, or is damaged"):
            read_placed_map(path)
