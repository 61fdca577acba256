"""The demo as a user runs it: minutes, so only with ``-m slow``."""

import time

import pandas as pd
import pytest

from napari_slagseg.cli import display


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_demo_is_good_and_a_second_run_is_quick(slagseg, tmp_path, monkeypatch):
    # the window's picture has tests of its own
    monkeypatch.setattr(display, "take_screenshot", lambda project, picture: "not asked for")
    clock = time.perf_counter()
    first = slagseg("demo", tmp_path / "d", "--no-view", "--json")
    took = time.perf_counter() - clock
    assert first.code == 0, first.err
    scores = first.values["scores"]
    for error in scores["registration_error_voxels"].values():
        assert error["placed"]
        assert error["median"] < 1.5
    assert scores["phases"]["dice"] > 0.85
    assert scores["particles"]["f1_match"] > 0.8
    assert scores["liberation_curve_error"]["volume_liberation"]["max_abs"] < 0.25
    assert took < 900, f"{took:.0f} s"
    table = pd.read_csv(tmp_path / "d" / "project" / "tables" / "particles.csv")
    assert len(table) == scores["particles"]["n_predicted"]

    clock = time.perf_counter()
    second = slagseg("demo", tmp_path / "d", "--no-view")
    assert second.code == 0, second.err
    assert time.perf_counter() - clock < 20
    assert "everything was up to date" in second.out
    assert "phantom" in second.err
    other = slagseg("demo", tmp_path / "d", "--seed", 5)
    assert other.code == 2
    assert "another sample" in other.err
