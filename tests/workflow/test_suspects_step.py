"""The step that ranks suspects, on particles made by hand."""

import json

import numpy as np
import pandas as pd
import pytest

from napari_slagseg import io
from napari_slagseg.data import SlagsegError
from napari_slagseg.evaluation.suspects import ranked
from napari_slagseg.workflow import PIPELINE, STEPS, make_config, run_pipeline, run_step
from napari_slagseg.workflow.suspect_tables import MadeFrom, SuspectTables

BALL, DUMBBELL, MISSED = 3, 8, (12, 40, 12)


def test_the_queue_is_a_table(segmented):
    result = run_step(segmented, STEPS["suspects"])
    queue = pd.read_csv(segmented.tables / "suspects.csv")
    assert queue["kind"].tolist()[:2] in (["merger", "missed"], ["missed", "merger"])
    rows = queue.set_index("kind")
    assert rows.loc["merger", "label"].max() == DUMBBELL
    # the voxels' edges are 2 um
    assert rows.loc["missed", "label"] == 0
    place = rows.loc["missed", ["z_um", "y_um", "x_um"]].astype(float)
    assert place.tolist() == pytest.approx([2 * (k + 0.5) for k in MISSED])
    assert result.summary["particles"] == 2
    assert sum(result.summary["likely"].values()) == (queue["score"] >= 0.5).sum()
    assert STEPS["suspects"].state(segmented) == "done"


def test_what_is_stored_gives_the_same_queue(segmented):
    run_step(segmented, STEPS["suspects"])
    tables = SuspectTables.of(segmented)
    features, made_from = tables.features()
    assert made_from == MadeFrom(segmented.segmentation_id(), "")
    pd.testing.assert_frame_equal(ranked(features), tables.queue(), rtol=1e-12)
    assert features.particles.index.tolist() == [BALL, DUMBBELL]
    assert (
        features.particles.loc[BALL, "voxels"]
        == (segmented.segmentation("particles") == BALL).sum()
    )


def test_without_missed_particles(segmented):
    run_step(segmented, STEPS["suspects"], make_config(STEPS["suspects"], {"missed": False}))
    assert "missed" not in set(SuspectTables.of(segmented).queue()["kind"])
    assert SuspectTables.of(segmented).features()[0].missed is None


def test_it_is_run_on_request_alone(segmented):
    assert "suspects" in STEPS
    assert "suspects" not in PIPELINE
    ran = []

    def tell(step, result):
        ran.append(step.name)
        raise InterruptedError

    with pytest.raises(InterruptedError):
        run_pipeline(segmented, on_step=tell)
    assert ran == ["register"]


def test_damaged_files_say_what_to_do(segmented):
    tables = SuspectTables.of(segmented)
    with pytest.raises(SlagsegError, match="Run 'suspects' first"):
        tables.queue()
    run_step(segmented, STEPS["suspects"])
    path = tables.folder / "population.json"
    facts = io.read_json(path, "x")
    facts["population"]["usual"]["size_z"] = [[1, 0, 0]]
    path.write_text(json.dumps(facts))
    with pytest.raises(SlagsegError, match=r"population.json cannot be used.*Run 'suspects' again"):
        tables.features()
    tables.queue_path.write_text("label,kind\n1,merger\n")
    with pytest.raises(SlagsegError, match="Run 'suspects' again"):
        tables.queue()


def test_no_segmentation(project):
    with pytest.raises(SlagsegError, match="Run 'segment' first"):
        run_step(project, STEPS["suspects"])


def test_a_segmentation_without_particles(segmented):
    nothing = np.zeros(segmented.segmentation("particles").shape, np.uint32)
    io.write_zarr_arrays(
        segmented.segmentation_path,
        {"phases": nothing.astype(np.uint8), "particles": nothing,
         "particle_probability": nothing.astype(np.uint8)},
    )  # fmt: skip
    result = run_step(segmented, STEPS["suspects"])
    assert result.summary == {"particles": 0, "likely": {}}
    assert len(SuspectTables.of(segmented).queue()) == 0
