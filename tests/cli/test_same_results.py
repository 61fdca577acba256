"""One project through Python and through the terminal: the same results."""

import numpy as np
import pandas as pd
from safetensors.numpy import load_file

from napari_slagseg import io
from napari_slagseg.project import Project
from napari_slagseg.workflow import PIPELINE, QUICK_TRAINING, STEPS, make_config, run_step, states
from napari_slagseg.workflow.demo import run_demo

BESIDE_QUICK = {
    "epochs": 1, "steps": 2, "patch": 32, "patch_depth": 16, "device": "cpu", "threads": 2,
    "seed": 4,
}  # fmt: skip
TRAINING = {**QUICK_TRAINING, **BESIDE_QUICK}
SETTINGS = {
    "register": {"seed": 1},
    "annotate": {"hold_out": "cutouts", "held_out_share": 0.3},
    "train-phase": TRAINING,
    "train-particle": TRAINING,
    "segment": {"minimum_voxels": 5, "tile": 48, "device": "cpu", "threads": 2},
    "measure": {"sections": 5, "section_axis": 1},
    "report": {"include_border": True, "size_edges_um": [10, 30, 90]},
}


def as_options(values):
    options = []
    for name, value in values.items():
        dashed = name.replace("_", "-")
        if isinstance(value, bool):
            options.append(f"--{dashed}" if value else f"--no-{dashed}")
        else:
            text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
            options += [f"--{dashed}", text]
    return options


def test_python_and_terminal_agree(slagseg, new_arguments, tiny_sample, tmp_path):
    by_terminal, by_python = tmp_path / "terminal" / "slag", tmp_path / "python" / "slag"
    del new_arguments[4:6]  # the second map: one is enough here
    assert slagseg("new", by_terminal, *new_arguments).code == 0
    for name in ("register", "annotate", "train", "segment", "measure", "report"):
        options = ["--quick"] if name == "train" else []
        values = BESIDE_QUICK if name == "train" else SETTINGS[name]
        answer = slagseg(name, by_terminal, *options, *as_options(values))
        assert answer.code == 0, answer.err

    project = Project.create(
        by_python,
        ct=tiny_sample / "ct.tif",
        maps=[tiny_sample / "map_1.png"],
        legend=tiny_sample / "legend.csv",
        pixel_size_um=1,
        target="LiAlO2",
    )
    for name, step in PIPELINE.items():
        run_step(project, step, make_config(step, SETTINGS[name]))

    other = Project(by_terminal)
    for name in PIPELINE:
        ours, theirs = project.record(name), other.record(name)
        assert ours.config == theirs.config, name
        if name in ("register", "train-phase", "train-particle"):
            # inputs of the others are files that note when and how fast they were made
            assert ours.inputs == theirs.inputs, name
    for name, ours in project.placed_maps().items():
        theirs = other.placed_map(name)
        assert ours.cutouts == theirs.cutouts
        assert np.array_equal(ours.coordinates(), theirs.coordinates(), equal_nan=True)
    for kind in ("phase", "particle"):
        ours, theirs = (
            load_file(p.model_folder(kind) / "weights.safetensors") for p in (project, other)
        )
        assert ours.keys() == theirs.keys()
        for name, values in ours.items():
            assert np.array_equal(values, theirs[name]), name
    for name in ("phases", "particles", "particle_probability"):
        assert np.array_equal(
            io.read_zarr_array(project.segmentation_path, name),
            io.read_zarr_array(other.segmentation_path, name),
        ), name
    for path in project.tables.glob("*.csv"):
        assert path.read_bytes() == (other.tables / path.name).read_bytes(), path.name

    # what plain files give is what the project holds
    model = by_terminal / "models"
    out = tmp_path / "plain.zarr"
    answer = slagseg(
        "predict", tiny_sample / "ct.tif", "--phase-model", model / "phase",
        "--particle-model", model / "particle" / "run_1" / "weights.safetensors", "--out", out,
        *as_options(SETTINGS["segment"]),
    )  # fmt: skip
    assert answer.code == 0, answer.err
    for name, dtype in (("phases", np.uint8), ("particles", np.uint32)):
        found = io.read_zarr_array(out, name)
        assert found.dtype == dtype
        assert np.array_equal(found, io.read_zarr_array(other.segmentation_path, name))
    table = tmp_path / "plain.csv"
    answer = slagseg(
        "describe", out / "particles", out / "phases", "--target", "LiAlO2", "--erosion-voxels", 1,
        "--voxel-size", "2.3", "--legend", tiny_sample / "legend.csv", "--out", table,
    )  # fmt: skip
    assert answer.code == 0, answer.err
    pd.testing.assert_frame_equal(
        pd.read_csv(table), pd.read_csv(other.tables / "particles.csv"), rtol=1e-9
    )

    # nothing is done twice, and 'run' keeps the settings
    assert set(states(other).values()) == {"done"}
    answer = slagseg("run", by_terminal, "--json")
    assert answer.code == 0, answer.err
    assert answer.values["steps"] == {}


def truth_of(sample, name="map_1"):
    return np.load(sample / "truth" / f"coordinates_{name}.npy")


def write_landmarks(path, sample, name="map_1", off=0.0):
    """Four pairs that are right but for a click's error of some voxels."""
    truth, errors = truth_of(sample, name), np.random.default_rng(2)
    lines = ["map,row,column,z,y,x"]
    for row, column in ((30, 40), (180, 60), (100, 190), (60, 120)):
        direction = errors.normal(size=3)
        z, y, x = truth[row, column] + off * direction / np.linalg.norm(direction)
        lines.append(f"{name},{row},{column},{z:.3f},{y:.3f},{x:.3f}")
    path.write_text("\n".join(lines) + "\n")
    return path


def test_place_and_register_give_the_same_for_the_same_hints(slagseg, tiny_sample, tmp_path):
    pairs = write_landmarks(tmp_path / "pairs.csv", tiny_sample, off=2.0)
    height = float(np.nanmean(truth_of(tiny_sample)[..., 0]))
    hints = ["--height", height - 12, height + 12, "--size-tolerance", 0.04, "--seed", 2]
    hints += ["--landmarks", pairs]
    out, project = tmp_path / "placed.json", tmp_path / "p"
    files = [
        "--legend", tiny_sample / "legend.csv", "--pixel-size", 1, "--voxel-size", 2.3,
    ]  # fmt: skip
    plain = slagseg(
        "place", tiny_sample / "ct.tif", tiny_sample / "map_1.png", *files, "--out", out, *hints,
        "--json",
    )  # fmt: skip
    assert plain.code == 0, plain.err
    slagseg(
        "new", project, "--ct", tiny_sample / "ct.tif", "--map", tiny_sample / "map_1.png", *files,
        "--target", "LiAlO2",
    )  # fmt: skip
    answer = slagseg("register", project, *hints, "--json")
    assert answer.code == 0, answer.err
    opened = Project(project)
    ours, theirs = io.read_placed_map(out), opened.placed_map("map_1")
    assert ours.cutouts == theirs.cutouts
    assert ours.probability == theirs.probability
    assert np.array_equal(ours.surface.zyx, theirs.surface.zyx)
    told = answer.values["summary"]["maps"]["map_1"]
    assert {k: v for k, v in plain.values.items() if k not in ("out", "coordinates")} == told
    assert np.nanmedian(np.linalg.norm(ours.coordinates() - truth_of(tiny_sample), axis=-1)) < 1
    assert len(opened.landmarks("map_1")) == 4
    assert opened.alignment("map_1").steps == ["landmarks from pairs.csv", "placed automatically"]
    # landmarks stay with the project, and nothing is done twice
    stored = opened.placed_path("map_1").read_bytes()
    assert slagseg("register", project, *hints[:-2]).code == 0
    assert opened.placed_path("map_1").read_bytes() == stored


def test_demo_resumes_and_scores_every_step(tmp_path):
    configs = {
        name: make_config(STEPS[name], {**SETTINGS[name], "seed": 0})
        for name in ("train-phase", "train-particle")
    }
    configs["segment"] = make_config(STEPS["segment"], SETTINGS["segment"])
    first = run_demo(tmp_path, preset="tiny", seed=3, configs=configs)
    assert first.steps_run == tuple(PIPELINE)
    errors = first.scores["registration_error_voxels"]
    assert set(errors) == {"map_1", "map_2"}
    assert all(e["median"] < 2.0 for e in errors.values() if e["placed"])
    assert any(e["placed"] for e in errors.values())
    assert 0 <= first.scores["phases"]["accuracy"] <= 1
    assert set(first.scores["phases"]["iou"]) == {
        "background", "LiAlO2", "eucryptite", "other phases",
    }  # fmt: skip
    assert first.scores["particles"]["n_reference"] > 100
    assert set(first.scores["liberation_curve_error"]) == {
        "volume_liberation", "surface_liberation",
    }  # fmt: skip
    assert "2 steps of 2 patches of 16 x 32 x 32 voxels" in first.scores["small"]
    stamp = first.scores_path.stat().st_mtime_ns
    again = run_demo(tmp_path, preset="tiny", seed=3, configs=configs)
    assert again.steps_run == ()
    assert again.scores == first.scores
    assert again.scores_path.stat().st_mtime_ns == stamp
    assert again.seconds < 5


def test_perfect_segmentation_scores_perfectly(tmp_path, tiny_sample):
    """The comparison itself, on a project whose segmentation is the truth."""
    from napari_slagseg.phantom import read_phantom_truth
    from napari_slagseg.workflow.demo import compare_with_truth
    from napari_slagseg.workflow.segment import table_to_json

    project = Project.create(
        tmp_path / "p",
        ct=tiny_sample / "ct.tif",
        maps=[tiny_sample / "map_1.png"],
        legend=tiny_sample / "legend.csv",
        pixel_size_um=1,
        target="LiAlO2",
    )
    truth = read_phantom_truth(tiny_sample)
    table = project.phase_table()
    classes, class_of = table.grouped()
    phases = table.lookup(class_of)[truth.phases.astype(np.int16)].astype(np.uint8)
    io.write_zarr_arrays(
        project.segmentation_path,
        {"phases": phases, "particles": truth.particles},
        attributes={"phase_table": table_to_json(classes)},
    )
    run_step(project, STEPS["measure"])
    scores = compare_with_truth(project, truth)
    assert scores["phases"]["dice"] == 1
    assert scores["phases"]["accuracy"] == 1
    assert scores["phases"]["iou"] == dict.fromkeys(classes.names, 1)
    assert scores["particles"]["f1_match"] == 1
    assert scores["particles"]["n_predicted"] == scores["particles"]["n_reference"]
    for error in scores["liberation_curve_error"].values():
        assert error["max_abs"] == 0
