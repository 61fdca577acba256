import errno
import json
import pickle
import tempfile
from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr

from napari_slagseg.project import Project
from napari_slagseg.workflow import StepResult

GREY = np.random.default_rng(5).integers(100, 60000, (20, 30, 30)).astype(np.uint16)


def write_ct(folder: Path, kind: str) -> Path:
    path = folder / "ct.npy"
    if kind == "missing":
        return folder / "not_there.tif"
    if kind == "text":
        path = folder / "ct.tif"
        path.write_text("this is no image")
    elif kind == "two axes":
        np.save(path, GREY[0])
    elif kind == "colour":
        path = folder / "ct.tif"
        tifffile.imwrite(path, np.zeros((5, 16, 16, 3), np.uint8) + 7, photometric="rgb")
    elif kind == "nan":
        grey = GREY.astype(np.float32)
        grey[3, 4, 5] = np.nan
        np.save(path, grey)
    elif kind == "constant":
        np.save(path, np.full_like(GREY, 9))
    elif kind == "empty":
        np.save(path, GREY[:0])
    elif kind == "pickle":
        np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    elif kind == "raw":
        path = folder / "ct.raw"
        GREY.tofile(path)
    elif kind == "short tif":
        path = folder / "ct.tif"
        tifffile.imwrite(path, GREY)
        path.write_bytes(path.read_bytes()[:5000])
    return path


@pytest.mark.parametrize(
    ("kind", "word"),
    [
        ("missing", "does not exist"),
        ("text", "ct.tif"),
        ("two axes", "three axes"),
        ("colour", "colour"),
        ("nan", "NaN"),
        ("constant", "constant"),
        ("empty", "empty"),
        ("pickle", "pickle"),
        ("raw", "Give its shape"),
        ("short tif", "ct.tif"),
    ],
)
def test_unusable_ct(refused, slagseg, tiny_sample, tmp_path, kind, word):
    ct = write_ct(tmp_path, kind)
    answer = slagseg(
        "new", tmp_path / "project", "--ct", ct, "--voxel-size", 2.3,
        "--map", tiny_sample / "map_1.png", "--legend", tiny_sample / "legend.csv",
        "--pixel-size", 1, "--target", "LiAlO2",
    )  # fmt: skip
    refused(answer, word)
    assert not (tmp_path / "project").exists()


def changed(arguments, name, value):
    at = arguments.index(name) + 1
    return [*arguments[:at], value, *arguments[at + 1 :]]


@pytest.mark.parametrize(
    ("name", "value", "word"),
    [
        ("--target", "gold", "LiAlO2"),
        ("--pixel-size", 0, "pixel size"),
        ("--pixel-size", "nan", "pixel size"),
        ("--legend", "/nowhere/legend.csv", "/nowhere/legend.csv"),
        ("--map", "/nowhere/map.png", "/nowhere/map.png"),
    ],
)
def test_unusable_option(refused, slagseg, new_arguments, tmp_path, name, value, word):
    refused(slagseg("new", tmp_path / "p", *changed(new_arguments, name, value)), word)
    assert not (tmp_path / "p").exists()


@pytest.mark.parametrize("size", ["0", "-1", "nan", "1,0,1"])
def test_voxel_size_must_be_above_zero(refused, slagseg, new_arguments, tmp_path, size):
    refused(slagseg("new", tmp_path / "p", *new_arguments, "--voxel-size", size), "above 0")


def test_absent_voxel_size_is_asked_for(refused, slagseg, new_arguments, tmp_path):
    np.save(tmp_path / "ct.npy", GREY)
    arguments = changed(new_arguments, "--ct", tmp_path / "ct.npy")
    refused(slagseg("new", tmp_path / "p", *arguments), "voxel size")


@pytest.mark.parametrize("size", ["five", "1,2", "1,2,3,4"])
def test_voxel_size_that_is_no_number(slagseg, new_arguments, tmp_path, size):
    answer = slagseg("new", tmp_path / "p", *new_arguments, "--voxel-size", size)
    assert answer.code == 2
    assert "--voxel-size" in answer.err
    assert "Traceback" not in answer.err


def test_legend_that_matches_little(refused, slagseg, new_arguments, tmp_path):
    legend = tmp_path / "legend.csv"
    legend.write_text("colour,phase\n#123456,background\n#654321,LiAlO2\n")
    refused(slagseg("new", tmp_path / "p", *changed(new_arguments, "--legend", legend)), "legend")


def test_folder_that_is_in_use(refused, slagseg, new_arguments, tmp_path):
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "thesis.txt").write_text("years of work")
    refused(slagseg("new", tmp_path / "p", *new_arguments), "not empty")
    assert (tmp_path / "p" / "thesis.txt").read_text() == "years of work"


def test_no_project(refused, slagseg, tmp_path):
    for command in ("status", "register", "run", "view"):
        refused(slagseg(command, tmp_path), "project.json")


def test_step_before_its_turn(refused, slagseg, tiny_project):
    refused(slagseg("annotate", tiny_project), "register")
    refused(slagseg("segment", tiny_project), "train")
    refused(slagseg("measure", tiny_project), "segment")
    refused(slagseg("report", tiny_project), "measure")


def test_project_of_a_newer_schema(refused, slagseg, tiny_project):
    path = tiny_project / "project.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "schema_version": 99}))
    before = path.read_bytes()
    refused(slagseg("status", tiny_project), "newer version", "99")
    refused(slagseg("run", tiny_project), "newer version")
    assert path.read_bytes() == before


def test_project_that_another_one_writes_to(refused, slagseg, tiny_project):
    with Project(tiny_project).writing():
        refused(slagseg("register", tiny_project), "open for writing")
        assert slagseg("status", tiny_project).code == 0


def test_setting_out_of_range(refused, slagseg, tiny_project):
    refused(slagseg("train", tiny_project, "--patch", 33), "patch")
    refused(slagseg("segment", tiny_project, "--threshold", 1.5), "threshold")
    refused(slagseg("register", tiny_project, "--maps", "map_7"), "map_7")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--height", 20, 20), ("height window 20 to 20 is empty",)),
        (("--height", "nan", 20), ("is empty",)),
        (("--height", 500, 600), ("500 to 600 lies outside the CT", "0 to 55")),
        (("--angle", "nan"), ("angle is nan",)),
        (("--size-tolerance", 0), ("size tolerance = 0",)),
        (("--field-size", "0,10"), ("field rows = 0",)),
        (("--field-size", "500,500"), ("Fields of 500 x 500", "map_1 of 214 x 214")),
        (("--from-here",), ("Map map_1 lies nowhere yet", "landmarks")),
        (("--cutouts", "1,2"), ("only from here",)),
        (("--from-here", "--cutouts", "3"), ("Choose one of the maps map_1, map_2_raster",)),
        (("--landmarks", "/nowhere/pairs.csv"), ("/nowhere/pairs.csv does not exist",)),
    ],
)
def test_hints_that_are_no_use(refused, slagseg, tiny_project, options, words):
    before = sorted(path.name for path in tiny_project.iterdir())
    refused(slagseg("register", tiny_project, *options), *words)
    after = {path.name for path in tiny_project.iterdir()} - {".lock"}
    assert after == set(before) - {".lock"}


@pytest.mark.parametrize("option", ["--height 3", "--height a b", "--field-size 5", "--cutouts x"])
def test_hints_that_are_no_numbers(slagseg, tiny_project, option):
    answer = slagseg("register", tiny_project, *option.split())
    assert answer.code == 2
    assert option.split()[0] in answer.err
    assert "Traceback" not in answer.err


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["map_1,10,10,20,30,30"], ("at least three pairs; map map_1 has 1",)),
        (["map_1,1,1,9,3,3", "map_1,2,2,9,9,3", "map_1,3,3,9,3,9"], ("in one line in the map",)),
        (
            ["map_1,1,1,9,3,3", "map_1,999,2,9,9,3", "map_1,3,9,9,3,9"],
            ("Landmark 2 of map map_1", "(999, 2)", "214 x 214"),
        ),
        (
            ["map_1,1,1,9,3,3", "map_1,9,2,9,9,3", "map_1,3,9,9,3,-7"],
            ("Landmark 3 of map map_1", "outside of the CT", "56 x 96 x 96"),
        ),
        (["gold,1,1,9,3,3"], ("no map 'gold'", "map_1, map_2_raster")),
        ([",1,1,9,3,3"], ("does not say which map", "map_1, map_2_raster")),
        (["map_1,1,1,9,3,3", "map_1,1,x,9,3,3"], ("pairs.csv, line 3: column is 'x'",)),
        ([], ("pairs.csv holds no landmarks",)),
    ],
)
def test_landmarks_that_are_no_use(
    refused, slagseg, tiny_project, tiny_sample, tmp_path, lines, words
):
    pairs = tmp_path / "pairs.csv"
    pairs.write_text("\n".join(["map,row,column,z,y,x", *lines]))
    refused(slagseg("register", tiny_project, "--landmarks", pairs), *words)
    assert Project(tiny_project).landmarks("map_1") is None
    if words[0].startswith(("no map", "does not say", "pairs.csv holds")):
        return  # a single file needs no name, and may say more than it is asked
    answer = slagseg(
        "place", tiny_sample / "ct.tif", tiny_sample / "map_1.png", "--voxel-size", 2.3,
        "--legend", tiny_sample / "legend.csv", "--pixel-size", 1, "--out", tmp_path / "o.json",
        "--landmarks", pairs,
    )  # fmt: skip
    refused(answer, *words)
    assert not (tmp_path / "o.json").exists()


def test_a_place_to_start_from_that_is_not_there(refused, slagseg, tiny_sample, tmp_path):
    arguments = (
        "place", tiny_sample / "ct.tif", tiny_sample / "map_1.png", "--voxel-size", 2.3,
        "--legend", tiny_sample / "legend.csv", "--pixel-size", 1, "--out", tmp_path / "o.json",
        "--from-here",
    )  # fmt: skip
    refused(slagseg(*arguments), "o.json does not exist", "no placement to start from")
    (tmp_path / "o.json").write_text("{}")
    refused(slagseg(*arguments), "o.json is not a placement")
    assert (tmp_path / "o.json").read_text() == "{}"


def test_settings_file(refused, slagseg, tiny_project, tmp_path):
    settings = tmp_path / "settings.json"
    settings.write_text("[]")
    refused(slagseg("run", tiny_project, "--settings", settings), "JSON object")
    settings.write_text('{"fly": {}}')
    refused(slagseg("run", tiny_project, "--settings", settings), "fly")
    settings.write_text('{"segment": {"minimum_voxels": -4}}')
    refused(slagseg("run", tiny_project, "--settings", settings), "minimum voxels")


def test_map_larger_than_the_ct(refused, slagseg, tiny_sample, tmp_path):
    answer = slagseg(
        "place", tiny_sample / "ct.tif", tiny_sample / "map_1.png", "--voxel-size", 2.3,
        "--legend", tiny_sample / "legend.csv", "--pixel-size", 40, "--out", tmp_path / "o.json",
    )  # fmt: skip
    refused(answer, "larger")
    assert not (tmp_path / "o.json").exists()


def test_labels_and_phases_of_different_shape(refused, slagseg, tmp_path):
    np.save(tmp_path / "a.npy", np.ones((4, 5, 6), np.uint32))
    np.save(tmp_path / "b.npy", np.ones((4, 5, 7), np.uint8))
    out = tmp_path / "t.csv"
    pair = (tmp_path / "a.npy", tmp_path / "b.npy")
    refused(slagseg("describe", *pair, "--voxel-size", 1, "--target", 1, "--out", out), "shape")
    refused(slagseg("score", "particles", *pair, "--out", tmp_path / "s.json"), "shape")
    assert not out.exists()
    assert not (tmp_path / "s.json").exists()


def test_labels_that_are_no_integers(refused, slagseg, tmp_path):
    np.save(tmp_path / "a.npy", np.full((4, 5, 6), 0.5))
    np.save(tmp_path / "b.npy", np.ones((4, 5, 6), np.uint8))
    refused(slagseg("score", "phases", tmp_path / "a.npy", tmp_path / "b.npy"), "whole")


def test_zarr_of_objects(refused, slagseg, tmp_path):
    store = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=2)
    folder = tmp_path / "a.zarr" / "particles"
    store.create_array("particles", shape=(2, 2, 2), dtype="uint8")
    meta = json.loads((folder / ".zarray").read_text())
    meta.update(dtype="|O", filters=[{"id": "pickle", "protocol": 5}], fill_value=None)
    (folder / ".zarray").write_text(json.dumps(meta))
    np.save(tmp_path / "b.npy", np.ones((2, 2, 2), np.uint8))
    answer = slagseg("score", "particles", tmp_path / "a.zarr" / "particles", tmp_path / "b.npy")
    refused(answer, "a.zarr")


@pytest.mark.parametrize("name", ["weights.pt", "weights.safetensors"])
def test_pickle_as_a_network(refused, slagseg, tiny_sample, tmp_path, name):
    ran = tmp_path / "ran"
    weights = tmp_path / name
    with weights.open("wb") as file:
        pickle.dump(_TouchesAFile(str(ran)), file)
    answer = slagseg(
        "predict", tiny_sample / "ct.tif", "--phase-model", weights, "--particle-model", weights,
        "--out", tmp_path / "o.zarr",
    )  # fmt: skip
    refused(answer, name)
    assert not ran.exists()
    assert not (tmp_path / "o.zarr").exists()


class _TouchesAFile:
    """Pickle that leaves a file behind if it is ever loaded."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self):
        return (open, (self.path, "w"))


def test_folder_without_a_network(refused, slagseg, tiny_sample, tmp_path):
    for model in (tmp_path, tmp_path / "nothing"):
        answer = slagseg(
            "predict", tiny_sample / "ct.tif", "--phase-model", model, "--particle-model", model,
            "--out", tmp_path / "o.zarr",
        )  # fmt: skip
        refused(answer, str(model))


# -- errors from below ----------------------------------------------------------


@pytest.fixture
def failing_states(monkeypatch):
    def fail(error):
        def states(project):
            raise error

        monkeypatch.setattr("napari_slagseg.workflow.states", states)

    return fail


def test_full_disk(refused, slagseg, tiny_project, failing_states):
    failing_states(OSError(errno.ENOSPC, "No space left on device", "/data/x.zarr"))
    refused(slagseg("status", tiny_project), "/data/x.zarr", "disk is full")


def test_no_permission(refused, slagseg, tiny_project, failing_states):
    failing_states(PermissionError(errno.EACCES, "Permission denied", "/data/x.zarr"))
    refused(slagseg("status", tiny_project), "/data/x.zarr", "Permission denied")


def test_too_little_memory(refused, slagseg, tiny_project, failing_states):
    failing_states(MemoryError())
    refused(slagseg("status", tiny_project), "memory")


def test_ctrl_c(slagseg, tiny_project, failing_states):
    failing_states(KeyboardInterrupt())
    answer = slagseg("status", tiny_project)
    assert answer.code == 130
    assert "what was finished is kept" in answer.err


def test_fault_of_the_program(slagseg, tiny_project, failing_states):
    failing_states(ZeroDivisionError("division by zero"))
    answer = slagseg("status", tiny_project)
    assert answer.code == 1
    assert answer.err.count("\n") == 1
    assert "Traceback" not in answer.err
    (log,) = tiny_project.glob("slagseg-error-*.log")
    assert str(log) in answer.err
    assert "ZeroDivisionError: division by zero" in log.read_text()
    assert "Traceback" in slagseg("status", tiny_project, "--debug").err


def test_fault_outside_a_project(slagseg, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr("napari_slagseg.workflow.plain.score_files", lambda *a, **k: 1 / 0)
    answer = slagseg("score", "phases", "a", "b")
    assert answer.code == 1
    (log,) = tmp_path.glob("slagseg-error-*.log")
    assert str(log) in answer.err


def test_error_for_a_program_is_a_line_of_json(slagseg, tmp_path):
    answer = slagseg("status", tmp_path, "--json")
    assert answer.code == 2
    assert answer.out == ""
    (line,) = answer.err.splitlines()
    assert json.loads(line)["event"] == "error"


def test_refused_map_ends_with_3(slagseg, tiny_project, monkeypatch):
    def run_step(project, step, config, progress, cancel, resources):
        maps = {"map_1": {"placed": True}, "map_2": {"placed": False, "reason": "alike"}}
        return StepResult({"maps": maps}, "1 of 2 maps placed.", ("map_2 was refused: alike",))

    monkeypatch.setattr("napari_slagseg.workflow.run_step", run_step)
    answer = slagseg("register", tiny_project)
    assert answer.code == 3
    assert "map_2 was refused: alike" in answer.err


def test_command_that_cannot_be_loaded(slagseg, monkeypatch, tmp_path):
    def broken(name):
        raise ImportError("no module named torch")

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr("napari_slagseg.cli.entry.import_module", broken)
    answer = slagseg("train", "project")
    assert answer.code == 1
    assert answer.err.count("\n") == 1
    assert "no module named torch" in answer.err
    assert len(list(tmp_path.glob("slagseg-error-*.log"))) == 1
