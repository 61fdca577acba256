import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from dataclasses import replace

import numpy as np
import pytest

from napari_slagseg import io
from napari_slagseg.cli import display
from napari_slagseg.cli.console import Console
from napari_slagseg.cli.running import ctrl_c_cancels
from napari_slagseg.data import Cutout, PlacedMap, PlacementSurface, ProgressEvent
from napari_slagseg.project import Project
from napari_slagseg.registration.steering import Nudge, nudge_map


def test_phantom_can_be_handed_to_new(slagseg, tmp_path):
    answer = slagseg("phantom", tmp_path / "s", "--preset", "tiny", "--seed", 3, "--json")
    assert answer.code == 0, answer.err
    assert answer.values["sample"]["seed"] == 3
    assert (tmp_path / "s" / "truth" / "particles.tif").is_file()
    events = [json.loads(line) for line in answer.err.splitlines()]
    assert events
    assert {event["event"] for event in events} == {"progress"}
    again = slagseg("phantom", tmp_path / "s")
    assert again.code == 2
    assert "not empty" in again.err


def test_new_says_what_it_read(slagseg, new_arguments, tmp_path):
    answer = slagseg("new", tmp_path / "p", *new_arguments, "--json")
    assert answer.code == 0, answer.err
    assert answer.values["ct"] == {
        "shape": [56, 96, 96], "dtype": "uint16", "voxel_size_um": pytest.approx([2.3] * 3),
    }  # fmt: skip
    assert set(answer.values["maps"]) == {"map_1", "map_2_raster"}
    assert answer.values["target"] == "LiAlO2"
    assert Project(tmp_path / "p").description.target == "LiAlO2"


def test_given_voxel_size_overrides_the_files(slagseg, new_arguments, tmp_path):
    answer = slagseg("new", tmp_path / "p", *new_arguments, "--voxel-size", "2.5,2.3,2.3")
    assert answer.code == 0, answer.err
    assert Project(tmp_path / "p").voxel_size_um == (2.5, 2.3, 2.3)


def test_raw_ct(slagseg, new_arguments, tiny_sample, tmp_path):
    data = io.read_volume(tiny_sample / "ct.tif").data
    np.ascontiguousarray(data).astype(">u2").tofile(tmp_path / "ct.raw")
    at = new_arguments.index("--ct") + 1
    arguments = [*new_arguments[:at], tmp_path / "ct.raw", *new_arguments[at + 1 :]]
    raw = ("--raw-shape", "56,96,96", "--raw-dtype", "uint16", "--raw-byte-order", "big")
    answer = slagseg("new", tmp_path / "p", *arguments, *raw, "--voxel-size", 2.3)
    assert answer.code == 0, answer.err
    assert np.array_equal(Project(tmp_path / "p").volume().data, data)
    half = slagseg("new", tmp_path / "q", *arguments, *raw[:2], "--voxel-size", 2.3)
    assert half.code == 2
    assert "--raw-dtype" in half.err


def test_status_of_a_new_project(slagseg, tiny_project):
    answer = slagseg("status", tiny_project, "--json")
    assert answer.code == 0
    assert {name: step["state"] for name, step in answer.values["steps"].items()} == dict.fromkeys(
        ["register", "annotate", "train-phase", "train-particle", "segment", "measure", "report"],
        "missing",
    )
    nowhere = {"state": "not placed", "placed": False}
    assert answer.values["maps"] == {"map_1": nowhere, "map_2_raster": nowhere}
    said = slagseg("status", tiny_project).out
    assert said.count("not done") == 7
    assert said.count("not placed") == 2


def test_status_tells_of_every_map(slagseg, tiny_project):
    project = Project(tiny_project)
    entry = project.map_entry("map_1")
    cutout = Cutout(0, 0, 90, 90, (20.0, 40, 40), (0, 0.4, 0), (0, 0, 0.4), 0.8)
    edge = np.linspace(0, 213, 5)
    zyx = np.stack(np.meshgrid(edge, edge, indexing="ij"), axis=-1)
    surface = PlacementSurface(edge, edge, np.pad(zyx, ((0, 0), (0, 0), (1, 0))))
    placed = PlacedMap(
        "map_1", entry.shape, 1.0, (56, 96, 96), (2.3,) * 3, True, 0.8, surface=surface,
        cutouts=(cutout, replace(cutout, state="locked"), replace(cutout, state="rejected")),
        probability=0.987,
    )  # fmt: skip
    refused = replace(
        placed, map_name="map_2_raster", placed=False, probability=0.02, reason="no place fits",
        details={"refused_because": [{"kind": "correlation", "text": "it is 0.2"}]},
    )  # fmt: skip
    with project.writing():
        project.save_placed(placed)
        project.save_placed(refused)
    lines = slagseg("status", tiny_project).out.splitlines()
    (line,) = [text for text in lines if text.startswith("  map_1 ")]
    assert line.split(maxsplit=2)[1:] == [
        "placed", "probability 0.987, 2 of 3 cutouts accepted, 1 locked",
    ]  # fmt: skip
    (line,) = [text for text in lines if text.startswith("  map_2_raster ")]
    assert "refused" in line
    assert "probability 0.020" in line
    assert "no place fits" in line
    maps = slagseg("status", tiny_project, "--json").values["maps"]
    assert maps["map_1"]["state"] == "placed"
    assert maps["map_2_raster"]["refused_because"][0]["kind"] == "correlation"
    with project.writing():
        project.alignment("map_1").record(nudge_map(placed, Nudge(up=1)), None, "nudged")
    project.placed_path("map_2_raster").write_text("{")
    maps = slagseg("status", tiny_project, "--json").values["maps"]
    assert maps["map_1"]["state"] == "by hand"
    assert maps["map_1"]["probability"] is None
    assert maps["map_2_raster"]["state"] == "damaged"


def test_view_opens_the_project(slagseg, tiny_project, monkeypatch):
    seen = []
    monkeypatch.setenv("DISPLAY", ":99")
    monkeypatch.setattr(
        display, "import_module", lambda name: type("W", (), {"view_project": seen.append})
    )
    assert slagseg("view", tiny_project).code == 0
    assert seen == [tiny_project]


def test_view_without_a_display(slagseg, tiny_project, monkeypatch):
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    answer = slagseg("view", tiny_project)
    assert answer.code == 2
    assert "no display" in answer.err


def test_screenshot_without_display_or_xvfb(monkeypatch, tmp_path):
    monkeypatch.setattr(display, "has_display", lambda: False)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert "xvfb" in display.take_screenshot(tmp_path, tmp_path / "x.png")


def test_screenshot_survives_a_crash(monkeypatch, tmp_path):
    monkeypatch.setattr(display, "has_display", lambda: True)
    monkeypatch.setattr(display, "_TAKE", "import os; os.abort()")
    assert "ended with code" in display.take_screenshot(tmp_path, tmp_path / "x.png")


# -- progress -------------------------------------------------------------------


def test_one_line_a_stage_where_there_is_no_terminal(capsys):
    console = Console()
    for fraction in (0.0, 0.5, 1.0):
        console.progress(ProgressEvent("searching", fraction))
    console.progress(ProgressEvent("refining", 0.0, {"score": 0.5}))
    console.progress(ProgressEvent("refining", 0.5, {"score": 0.6}))
    said = capsys.readouterr()
    assert said.err.split() == ["searching", "refining"]
    assert said.out == ""


def test_progress_as_json_keeps_values_and_writes_null_for_nan(capsys):
    console = Console(as_json=True)
    console.progress(ProgressEvent("training", 0.1, {"epoch": 1, "validation_loss": float("nan")}))
    console.progress(ProgressEvent("training", 0.2, {"epoch": np.int64(2), "loss": np.float32(1)}))
    events = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [event["values"] for event in events] == [
        {"epoch": 1, "validation_loss": None}, {"epoch": 2, "loss": 1.0},
    ]  # fmt: skip


def test_bar_on_a_terminal(monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    console = Console()
    console.progress(ProgressEvent("training", 0.25, {"loss": 0.125}))
    console.end_progress()
    said = capsys.readouterr().err
    assert "training" in said
    assert " 25%" in said
    assert "loss=0.125" in said


@pytest.mark.skipif(os.name != "posix", reason="sends a signal to itself")
def test_first_ctrl_c_sets_the_token_and_the_second_stops(capsys):
    before = signal.getsignal(signal.SIGINT)
    with ctrl_c_cancels(Console()) as cancel:
        os.kill(os.getpid(), signal.SIGINT)
        assert cancel.is_set()
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before
    assert "Stopping" in capsys.readouterr().err


def test_no_signal_handler_outside_the_main_thread():
    tokens = []

    def work():
        with ctrl_c_cancels(Console()) as cancel:
            tokens.append(cancel.is_set())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert tokens == [False]


def test_output_into_a_closed_pipe_is_no_traceback():
    done = subprocess.run(
        f"{sys.executable} -c 'from napari_slagseg.cli import main; main()' train --help | true",
        shell=True,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr
