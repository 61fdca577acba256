import json

import numpy as np
import pandas as pd
import pytest

from napari_slagseg import io
from napari_slagseg.data import PARTICLE_COLUMNS, SECTION_COLUMNS
from napari_slagseg.workflow.plain import model_path

BOX = (6, 8, 10)
VOXEL_UM = 2.0


@pytest.fixture
def box(tmp_path):
    """One box of 6 x 8 x 10 voxels of phase 2, its lower half in z of phase 1."""
    particles = np.zeros((12, 14, 16), np.uint32)
    phases = np.zeros(particles.shape, np.uint8)
    inside = tuple(slice(3, 3 + n) for n in BOX)
    particles[inside] = 7
    phases[inside] = 2
    phases[3:6, 3:11, 3:13] = 1
    np.save(tmp_path / "particles.npy", particles)
    io.write_volume(tmp_path / "phases.tif", phases, (VOXEL_UM,) * 3)
    return tmp_path


@pytest.fixture
def legend(tmp_path):
    path = tmp_path / "legend.csv"
    path.write_text(
        "colour,phase,symbol,formula,density_g_cm3,group\n"
        "#000000,background,,,,\n#d55e00,ore,,,3.1,\n#56b4e9,gangue,,,2.7,\n"
    )
    return path


def test_describe_a_box_by_ids(slagseg, box):
    out = box / "table.csv"
    answer = slagseg(
        "describe", box / "particles.npy", box / "phases.tif", "--voxel-size", VOXEL_UM,
        "--target", 1, "--out", out, "--json",
    )  # fmt: skip
    assert answer.code == 0, answer.err
    assert answer.values["rows"] == 1
    frame = pd.read_csv(out)
    columns = tuple(frame.columns)
    assert columns[: len(PARTICLE_COLUMNS) + 2] == (*PARTICLE_COLUMNS, "fraction_1", "fraction_2")
    row = frame.iloc[0]
    assert row["label"] == 7
    assert row["n_voxels"] == 480
    assert row["volume_um3"] == pytest.approx(480 * VOXEL_UM**3)
    assert not row["touches_border"]
    assert row["volume_liberation"] == pytest.approx(0.5)
    assert row["fraction_2"] == pytest.approx(0.5)
    assert row["axis_major_um"] == pytest.approx(10 * VOXEL_UM)
    assert row["axis_minor_um"] == pytest.approx(6 * VOXEL_UM)
    # the box's centre is at voxel 3 + (n - 1) / 2
    assert row["centroid_z_um"] == pytest.approx(5.5 * VOXEL_UM)
    assert row["centroid_x_um"] == pytest.approx(7.5 * VOXEL_UM)
    sidecar = json.loads((box / "table.json").read_text())
    assert set(sidecar["columns"]) == set(frame.columns)
    assert sidecar["columns"]["volume_um3"]["unit"]
    assert sidecar["provenance"]["particles"]["sha256"] == io.fingerprint(box / "particles.npy")


@pytest.mark.parametrize("target", ["ore", "1"])
def test_describe_by_names(slagseg, box, legend, target):
    answer = slagseg(
        "describe", box / "particles.npy", box / "phases.tif", "--voxel-size", "2,2,2",
        "--target", target, "--legend", legend, "--out", box / "t.csv",
    )  # fmt: skip
    assert answer.code == 0, answer.err
    frame = pd.read_csv(box / "t.csv")
    assert [c for c in frame if c.startswith("fraction_")] == ["fraction_ore", "fraction_gangue"]
    assert frame["volume_liberation"][0] == pytest.approx(0.5)
    assert json.loads((box / "t.json").read_text())["target"] == "ore"


def test_describe_knows_the_classes_of_a_segmentation(slagseg, box):
    """A segmentation holds the legend's groups: phase 2 there is not phase 2 of the legend."""
    (box / "l.csv").write_text(
        "colour,phase,group\n#000000,background,\n#111111,quartz,rest\n#222222,mica,rest\n"
        "#d55e00,ore,\n"
    )
    table = io.read_legend(box / "l.csv", target="ore")
    from napari_slagseg.workflow.segment import table_to_json

    phases = np.zeros((5, 5, 5), np.uint8)
    phases[1:4, 1:4, 1:4] = 1  # "rest"
    phases[1, 1:4, 1:4] = 2  # the ore, third in the legend
    io.write_zarr_arrays(
        box / "s.zarr",
        {"phases": phases, "particles": (phases > 0).astype(np.uint32)},
        voxel_size_um=(1.0, 1.0, 1.0),
        attributes={"phase_table": table_to_json(table.grouped()[0])},
    )
    pair = (box / "s.zarr" / "particles", box / "s.zarr" / "phases")
    answer = slagseg(
        "describe", *pair, "--target", "ore", "--voxel-size", 1, "--legend", box / "l.csv",
        "--out", box / "t.csv",
    )  # fmt: skip
    assert answer.code == 0, answer.err
    frame = pd.read_csv(box / "t.csv")
    assert frame["volume_liberation"][0] == pytest.approx(1 / 3)
    assert [c for c in frame if c.startswith("fraction_")] == ["fraction_rest", "fraction_ore"]


def test_describe_sections(slagseg, box):
    answer = slagseg(
        "describe", box / "particles.npy", box / "phases.tif", "--voxel-size", VOXEL_UM,
        "--target", 1, "--section-axis", 0, "--out", box / "t.csv",
    )  # fmt: skip
    assert answer.code == 0, answer.err
    frame = pd.read_csv(box / "t.csv")
    assert tuple(frame.columns[: len(SECTION_COLUMNS)]) == SECTION_COLUMNS
    assert frame["section"].tolist() == [3, 4, 5, 6, 7, 8]
    assert frame["volume_liberation"].tolist() == [1, 1, 1, 0, 0, 0]
    assert frame["area_um2"].tolist() == [80 * VOXEL_UM**2] * 6


def test_describe_two_dimensional_arrays(slagseg, tmp_path):
    labels = np.zeros((10, 10), np.int32)
    labels[2:6, 2:8] = 1
    np.save(tmp_path / "l.npy", labels)
    np.save(tmp_path / "p.npy", (labels * 3).astype(np.uint8))
    answer = slagseg(
        "describe", tmp_path / "l.npy", tmp_path / "p.npy", "--voxel-size", 0.5, "--target", 3,
        "--out", tmp_path / "t.csv",
    )  # fmt: skip
    assert answer.code == 0, answer.err
    assert pd.read_csv(tmp_path / "t.csv")["area_um2"].tolist() == [24 * 0.25]


def test_describe_refuses_a_target_that_is_not_there(slagseg, box, legend):
    begin = ("describe", box / "particles.npy", box / "phases.tif", "--voxel-size", 1)
    end = ("--out", box / "t.csv")
    for target, extra, word in (
        (5, (), "0, 1, 2"),
        (0, (), "background"),
        ("ore", (), "--legend"),
        ("gold", ("--legend", legend), "gold"),
        (9, ("--legend", legend), "9"),
        (0, ("--legend", legend), "background"),
    ):
        answer = slagseg(*begin, "--target", target, *extra, *end)
        assert answer.code == 2, (target, answer)
        assert word in answer.err
    assert not (box / "t.csv").exists()


def test_score_particles(slagseg, tmp_path):
    truth = np.zeros((1, 1, 40), np.int32)
    predicted = np.zeros(truth.shape, np.uint32)
    truth[..., 0:10] = 1  # found exactly
    predicted[..., 0:10] = 5
    truth[..., 12:20] = 2  # half of it found: F1 = 2 * 4 / (8 + 4) = 2/3
    predicted[..., 12:16] = 6
    truth[..., 22:26] = 3  # missed
    predicted[..., 30:32] = 8  # made up
    truth[..., 34:40] = -1  # unknown, so this one does not count
    predicted[..., 34:40] = 9
    np.save(tmp_path / "p.npy", predicted)
    np.save(tmp_path / "t.npy", truth)
    out = tmp_path / "scores.json"
    answer = slagseg(
        "score", "particles", tmp_path / "p.npy", tmp_path / "t.npy", "--out", out, "--json"
    )
    assert answer.code == 0, answer.err
    scores = json.loads(out.read_text())
    assert scores == answer.values
    assert {
        "f1", "f1_match", "f1_instance", "merger_ratio", "splitter_ratio", "n_reference",
        "n_predicted",
    } <= set(scores)  # fmt: skip
    assert scores["n_reference"] == 3
    assert scores["n_predicted"] == 3
    assert scores["f1"] == pytest.approx(2 * 14 / (22 + 16))
    assert scores["f1_match"] == pytest.approx(2 / 3)  # 2 matches, one missed, one made up
    assert scores["f1_instance"] == pytest.approx((1 + 2 / 3 + 0 + 0) / 4)
    assert scores["merger_ratio"] == 0
    assert scores["splitter_ratio"] == 0


def test_score_phases(slagseg, tmp_path):
    truth = np.array([[[0, 0, 1, 1], [2, 2, -1, -1]]] * 2, np.int16)
    predicted = np.array([[[0, 1, 1, 1], [2, 1, 2, 0]]] * 2, np.uint8)
    io.write_volume(tmp_path / "p.tif", predicted, (1.0, 1.0, 1.0))
    io.write_zarr_arrays(tmp_path / "t.zarr", {"phases": truth})
    out = tmp_path / "scores.json"
    answer = slagseg(
        "score", "phases", tmp_path / "p.tif", tmp_path / "t.zarr/phases", "--out", out
    )
    assert answer.code == 0, answer.err
    scores = json.loads(out.read_text())
    assert scores["dice"] == pytest.approx(2 * 4 / (5 + 4))
    assert scores["accuracy"] == pytest.approx(4 / 6)
    assert scores["iou"] == pytest.approx({"0": 1 / 2, "1": 2 / 4, "2": 1 / 2})
    assert "accuracy: 0.6667" in answer.out


def test_undefined_scores_are_null(slagseg, tmp_path):
    np.save(tmp_path / "z.npy", np.zeros((2, 2, 2), np.uint8))
    answer = slagseg("score", "particles", tmp_path / "z.npy", tmp_path / "z.npy", "--json")
    assert answer.code == 0
    assert answer.values["f1"] is None
    assert answer.values["n_reference"] == 0
    assert "NaN" not in answer.out


def test_quiet_says_nothing(slagseg, tmp_path):
    np.save(tmp_path / "z.npy", np.ones((2, 2, 2), np.uint8))
    answer = slagseg("score", "phases", tmp_path / "z.npy", tmp_path / "z.npy", "--quiet")
    assert (answer.code, answer.out, answer.err) == (0, "", "")


def test_model_path_takes_the_latest_trained_run(tmp_path):
    for name in ("run_2", "run_10", "run_11"):
        (tmp_path / name).mkdir()
    for name in ("run_2", "run_10"):
        (tmp_path / name / "weights.safetensors").touch()
    assert model_path(tmp_path) == tmp_path / "run_10"
    assert model_path(tmp_path / "run_2") == tmp_path / "run_2"
    weights = tmp_path / "run_2" / "weights.safetensors"
    assert model_path(weights) == weights


def test_place_writes_coordinates_of_every_pixel(slagseg, tiny_sample, tmp_path):
    out, coordinates = tmp_path / "placed.json", tmp_path / "coords.npy"
    answer = slagseg(
        "place", tiny_sample / "ct.tif", tiny_sample / "map_1.png", "--voxel-size", 2.3,
        "--legend", tiny_sample / "legend.csv", "--pixel-size", 1, "--out", out,
        "--coordinates", coordinates, "--json",
    )  # fmt: skip
    content = json.loads(out.read_text())
    found = np.load(coordinates, allow_pickle=False)
    assert found.dtype == np.float32
    truth = np.load(tiny_sample / "truth" / "coordinates_map_1.npy")
    assert found.shape == truth.shape
    assert answer.code == 0, answer.err
    assert content["placed"] is True
    assert {"row", "column", "height", "width", "score", "accepted"} <= set(content["cutouts"][0])
    assert content["surface"] is not None
    error = np.linalg.norm(found - truth, axis=-1)
    assert np.isfinite(error).mean() > 0.5
    assert np.nanmedian(error) < 2.0


def test_place_refuses_a_map_of_another_sample(slagseg, tiny_sample, tmp_path):
    """Noise holds no map: exit code 3, and the files say so."""
    rng = np.random.default_rng(0)
    np.save(tmp_path / "ct.npy", rng.integers(0, 255, (40, 110, 110)).astype(np.uint8))
    out, coordinates = tmp_path / "placed.json", tmp_path / "coords.npy"
    answer = slagseg(
        "place", tmp_path / "ct.npy", tiny_sample / "map_1.png", "--voxel-size", 2.3,
        "--legend", tiny_sample / "legend.csv", "--pixel-size", 1, "--out", out,
        "--coordinates", coordinates, "--mirror", "no", "--angle", 0, "--height", 15, 25,
    )  # fmt: skip
    assert answer.code == 3, answer
    content = json.loads(out.read_text())
    assert content["placed"] is False
    assert content["reason"]
    assert "was refused" in answer.out
    for word in ("--height LO HI", "--landmarks FILE", "--mirror yes or no"):
        assert word in answer.err
    found = np.load(coordinates)
    assert found.shape == (214, 214, 3)
    assert np.isnan(found).all()
