"""More of what a user can hand in by mistake; `test_bad_input` has the commonest."""

import json
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch

from napari_slagseg.data import Phase, PhaseTable
from napari_slagseg.networks.card import NetworkCard
from napari_slagseg.networks.checkpoints import save_weights
from napari_slagseg.networks.unet import build_unet
from napari_slagseg.project import Project

GARBAGE = bytes(range(256)) * 20
GREY = np.random.default_rng(5).integers(100, 60000, (20, 30, 30)).astype(np.uint16)


def changed(arguments, name, value):
    at = arguments.index(name) + 1
    return [*arguments[:at], value, *arguments[at + 1 :]]


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("garbage.tif", "not a TIFF file"),
        ("garbage.npy", "not a NumPy array file"),
        ("garbage.png", "give the folder of the slices"),
        ("garbage.nrrd", "NRRD"),
        ("garbage.zarr", "a Zarr store is a folder"),
        ("garbage.xyz", "unknown format '.xyz'"),
        ("garbage.pt", "pickle"),
    ],
)
def test_garbage_as_a_ct(refused, slagseg, new_arguments, tmp_path, name, word):
    (tmp_path / name).write_bytes(GARBAGE)
    arguments = changed(new_arguments, "--ct", tmp_path / name)
    refused(slagseg("new", tmp_path / "p", *arguments, "--voxel-size", 2), name, word)
    assert not (tmp_path / "p").exists()


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_a_tiff_cut_short(refused, slagseg, new_arguments, tmp_path, compression):
    path = tmp_path / "cut.tif"
    tifffile.imwrite(path, GREY, compression=compression)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    arguments = changed(new_arguments, "--ct", path)
    refused(slagseg("new", tmp_path / "p", *arguments, "--voxel-size", 2), str(path), "cut short")


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("map.png", "cannot be read as an image"),
        ("map.tif", "not a TIFF file"),
        ("map.npy", "not a NumPy array file"),
        ("map.csv", "Known for the mineral map are PNG"),
        ("half.png", "truncated"),
    ],
)
def test_an_unusable_map(refused, slagseg, new_arguments, tiny_sample, tmp_path, name, word):
    whole = (tiny_sample / "map_1.png").read_bytes()
    (tmp_path / name).write_bytes(whole[: len(whole) // 2] if name == "half.png" else GARBAGE)
    arguments = changed(new_arguments, "--map", tmp_path / name)
    refused(slagseg("new", tmp_path / "p", *arguments), name, word)
    assert not (tmp_path / "p").exists()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", ("is not a legend", "colour,phase")),
        ("name,value\na,b\n", ("is not a legend", "name,value")),
        ("colour,phase\n#000000,background\nred,LiAlO2\n", ("line 3", "'red'")),
        (
            "colour,phase\n#000000,background\n#d55e00,LiAlO2\n#56b4e9,LiAlO2\n",
            ("line 4", "stands twice"),
        ),
        (
            "colour,phase\n#000000,background\n#d55e00,LiAlO2\n#d55e00,eucryptite\n",
            ("map_1.png", "'LiAlO2' and 'eucryptite' share the colour #d55e00"),
        ),
    ],
)
def test_an_unusable_legend(refused, slagseg, new_arguments, tmp_path, content, words):
    (tmp_path / "legend.csv").write_text(content)
    arguments = changed(new_arguments, "--legend", tmp_path / "legend.csv")
    refused(slagseg("new", tmp_path / "p", *arguments), *words)
    assert not (tmp_path / "p").exists()


@pytest.mark.parametrize(("target", "why"), [("gold", "not in"), ("background", "background")])
def test_an_unusable_target_names_the_legend_and_the_choice(
    refused, slagseg, new_arguments, tmp_path, target, why
):
    answer = slagseg("new", tmp_path / "p", *changed(new_arguments, "--target", target))
    refused(answer, "legend.csv", f"'{target}'", why, "Choose one of: LiAlO2")


def test_files_of_different_shape_are_named(refused, slagseg, tmp_path):
    np.save(tmp_path / "a.npy", np.ones((4, 5, 6), np.uint32))
    np.save(tmp_path / "b.npy", np.ones((4, 5, 7), np.uint8))
    pair = (tmp_path / "a.npy", tmp_path / "b.npy")
    answer = slagseg(
        "describe", *pair, "--voxel-size", 1, "--target", 1, "--out", tmp_path / "t.csv"
    )
    refused(answer, str(pair[0]), str(pair[1]), "(4, 5, 6)", "(4, 5, 7)")


def write_network(folder: Path, kind: str, channels: int | None = None) -> Path:
    phases = [Phase(i, n, c) for i, n, c in ((0, "background", "#000000"), (1, "ore", "#d55e00"))]
    table = PhaseTable(tuple(phases), "ore")
    torch.manual_seed(0)
    outputs = len(table) if kind == "phase" else 1
    network = build_unet(channels or outputs, (4, 8, 8, 8))
    folder.mkdir()
    card = NetworkCard(
        kind=kind, widths=(4, 8, 8, 8), channels=outputs, table=table, grey_limits=(0.0, 255.0),
        voxel_size_um=(2.3, 2.3, 2.3),
    )  # fmt: skip
    save_weights(folder, network, card)
    return folder


def test_networks_that_do_not_fit(refused, slagseg, tiny_sample, tmp_path):
    phase = write_network(tmp_path / "phase", "phase")
    particle = write_network(tmp_path / "particle", "particle")
    odd = write_network(tmp_path / "odd", "phase", channels=5)
    half = write_network(tmp_path / "half", "phase") / "weights.safetensors"
    half.write_bytes(half.read_bytes()[:-100])
    stolen = write_network(tmp_path / "stolen", "phase") / "weights.safetensors"
    stolen.write_bytes(pickle.dumps({"a": 1}))
    for first, second, words in (
        (particle, phase, ("is a particle network", "exchanged")),
        (odd, particle, ("odd", "does not fit")),
        (half, particle, (str(half), "not a whole safetensors")),
        (stolen, particle, (str(stolen), "pickle", "never opened")),
    ):
        answer = slagseg(
            "predict", tiny_sample / "ct.tif", "--phase-model", first, "--particle-model", second,
            "--out", tmp_path / "o.zarr", "--device", "cpu",
        )  # fmt: skip
        refused(answer, *words)
        assert not (tmp_path / "o.zarr").exists()


@pytest.mark.parametrize(
    ("command", "part", "way_out"),
    [
        (("register",), "maps/map_1.zarr/zarr.json", "make the project again"),
        (("annotate",), "placed/map_1.json", "run 'register' again"),
        (("status",), "steps/register.json", "Delete it"),
        (("status",), "project.json", "JSON"),
    ],
)
def test_a_damaged_project_says_what_to_do(refused, slagseg, tiny_project, command, part, way_out):
    path = tiny_project / part
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{")
    refused(slagseg(command[0], tiny_project, *command[1:]), path.name.split(".")[0][:3], way_out)


def test_a_full_disk_loses_nothing(tiny_sample, tmp_path):
    """With a limit on the size of files, which fails as a full disk does, in a real process."""
    script = (
        "import resource, sys\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]),) * 2)\n"
        "from napari_slagseg.cli import main\nmain(sys.argv[2:])\n"
    )
    arguments = [
        "new", tmp_path / "p", "--ct", tiny_sample / "ct.tif", "--map",
        tiny_sample / "map_1_raster.tif", "--legend", tiny_sample / "legend.csv",
        "--pixel-size", 1, "--target", "LiAlO2",
    ]  # fmt: skip

    def run(limit):
        return subprocess.run(
            [sys.executable, "-B", "-c", script, str(limit), *map(str, arguments)],
            capture_output=True, text=True,
        )  # fmt: skip

    answer = run(300)
    assert answer.returncode == 2, answer.stderr
    assert "could not be written" in answer.stderr
    assert "Traceback" not in answer.stderr
    assert not (tmp_path / "p").exists()
    answer = run(10**9)
    assert answer.returncode == 0, answer.stderr
    assert Project(tmp_path / "p").map_names() == ("map_1_raster",)


def test_stages_that_take_turns_are_told_once(capsys):
    """A line for every tile of a large volume would bury everything else."""
    from napari_slagseg.cli.console import Console
    from napari_slagseg.data import ProgressEvent

    console = Console()
    console.heading("5/7 Segment")
    for tile in range(50):
        for kind in ("phase", "particle"):
            console.progress(ProgressEvent(f"predicting ({kind} network)", tile / 50))
    console.heading("6/7 Measure")
    console.progress(ProgressEvent("predicting (phase network)", 0.0))
    assert capsys.readouterr().err.splitlines() == [
        "5/7 Segment", "  predicting (phase network)", "  predicting (particle network)",
        "6/7 Measure", "  predicting (phase network)",
    ]  # fmt: skip
    as_json = Console(as_json=True)
    as_json.progress(ProgressEvent("predicting (phase network)", 0.5))
    assert json.loads(capsys.readouterr().err)["fraction"] == 0.5
