"""The script that makes the demo's sample, and what its README says of it."""

import inspect
import re
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_slagseg import io
from napari_slagseg.phantom import (
    DEMO_DEGRADATION,
    DEMO_PRESET,
    DEMO_SEED,
    PRESETS,
    make_phantom,
    read_phantom_truth,
)
from napari_slagseg.phantom.presets import PIXEL_UM, VOXEL_UM
from napari_slagseg.workflow.demo import run_demo, write_sample

FOLDER = Path(__file__).parents[2] / "sample_data"
SCRIPT = FOLDER / "make_sample.py"


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """What the script writes, but for its size as the demo has it."""
    folder = tmp_path_factory.mktemp("script") / "sample"
    subprocess.run([sys.executable, SCRIPT, folder, "--preset", "tiny"], check=True, timeout=300)
    return folder


@pytest.fixture(scope="session")
def script():
    return runpy.run_path(str(SCRIPT))["main"]


def test_the_script_writes_what_the_package_makes(made):
    phantom = make_phantom("tiny", DEMO_DEGRADATION, DEMO_SEED)
    assert np.array_equal(io.read_volume(made / "ct.tif").data, phantom.ct.data)
    truth = read_phantom_truth(made)
    assert np.array_equal(truth.particles, phantom.particles)
    for m in phantom.maps:
        path = made / f"{m.mineral_map.name}.png"
        found = io.read_mineral_map(path, io.read_legend(made / "legend.csv"), PIXEL_UM)
        assert np.array_equal(found.phases, m.mineral_map.phases)


def test_the_script_writes_over_a_sample_only_if_asked(script, tmp_path, capsys):
    taken = tmp_path / "taken"
    write_sample(taken, "tiny", seed=3, n_maps=3)
    (taken / "notes.txt").write_text("mine")
    before = (taken / "ct.tif").read_bytes()
    assert script([str(taken), "--preset", "tiny"]) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert (taken / "ct.tif").read_bytes() == before
    assert script([str(taken), "--preset", "tiny", "--overwrite"]) == 0
    assert (taken / "ct.tif").read_bytes() != before
    assert (taken / "notes.txt").read_text() == "mine"
    # the third map was of the sample that is gone
    assert sorted(p.name for p in taken.glob("map_*.png")) == ["map_1.png", "map_2.png"]
    assert len(read_phantom_truth(taken).coordinates) == 2


def test_a_folder_that_holds_no_sample_is_never_written_over(script, tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    assert script([str(tmp_path), "--preset", "tiny", "--overwrite"]) == 2
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]


def test_the_demo_and_its_command_take_the_same_sample_as_the_script():
    from napari_slagseg.cli.samples import demo

    same = {"preset": DEMO_PRESET, "degradation": DEMO_DEGRADATION, "seed": DEMO_SEED}
    for function in (run_demo, write_sample):
        parameters = inspect.signature(function).parameters
        assert {name: parameters[name].default for name in same} == same
    options = {option.name: option.default for option in demo.params}
    assert "preset" not in options
    assert (options["degradation"], options["seed"]) == (DEMO_DEGRADATION, DEMO_SEED)


def test_the_readme_states_the_demos_settings_and_sizes(made):
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| (preset|degradation|seed) \| `(\w+)` \|", text, re.MULTILINE))
    settings = {"preset": DEMO_PRESET, "degradation": DEMO_DEGRADATION, "seed": str(DEMO_SEED)}
    assert rows == settings
    size = PRESETS[DEMO_PRESET]
    assert f"{' x '.join(map(str, size.shape))} voxels (z, y, x) of {VOXEL_UM} um" in text
    # maps cover the cylinder, whose edge goes with the CT's
    edge, tiny = Image.open(made / "map_1.png").width, PRESETS["tiny"]
    edge = round(edge * size.shape[1] / tiny.shape[1])
    assert re.search(rf"{edge} x {edge} pixels of {PIXEL_UM:g} um", text)
    assert f"`map_1.png` to `map_{size.n_maps}.png`" in text


def test_the_readme_names_every_file(made):
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`([\w/]+\.(?:tif|png|csv|json|npy))`", text))
    written = {p.relative_to(made).as_posix() for p in made.rglob("*") if p.is_file()}
    numbered = re.compile(r"map_\d")
    assert {numbered.sub("map", n) for n in named} == {numbered.sub("map", n) for n in written}
