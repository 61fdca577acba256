"""What an action says of itself is enough to do it again."""

import json

import numpy as np
import pytest
from tests.workflow.proofreading.specimens import arrays, made
from tests.workflow.proofreading.test_live_table import EDITS

from napari_slagseg.data import SlagsegError
from napari_slagseg.workflow.proofreading import Proofreader
from napari_slagseg.workflow.proofreading.masks import mask_from_json, mask_to_json
from napari_slagseg.workflow.proofreading.refitting import SEEN


def again(reader, kind, said):
    """Do what parameters, read from JSON, say."""
    said = {name: value for name, value in said.items() if name != SEEN}
    if kind in ("add", "relabel"):
        said["start"], said["mask"] = mask_from_json(said.pop("painted"))
        return {"add": reader.add_painted, "relabel": reader.relabel_painted}[kind](**said)
    if kind == "paint":
        (stroke,) = said["strokes"]
        start, mask = mask_from_json(stroke)
        box = tuple(slice(a, a + n) for a, n in zip(start, mask.shape))
        volume = reader.particles if said["array"] == "particles" else reader.phases
        before = volume[box]
        after = np.where(mask, stroke["value"], before)
        return reader.paint(said["array"], start, before, after, said["phase"])
    methods = {"fill": reader.fill_holes}
    return methods.get(kind, getattr(reader, kind, None))(**said)


@pytest.mark.parametrize("name", EDITS)
def test_parameters_are_enough_on_another_copy(reader, project, tmp_path, labels, phases, name):
    grey = np.asarray(project.volume().data)
    outcome = EDITS[name](reader)
    (action,) = outcome.actions
    (tmp_path / "copy").mkdir()
    copy = made(tmp_path / "copy", labels, phases, grey)
    with copy.writing():
        other = Proofreader(copy)
        said = json.loads(json.dumps(dict(action.parameters)))
        found = again(other, action.kind, said)
        assert all(np.array_equal(a, b) for a, b in zip(arrays(other), arrays(reader)))
        assert (found.labels_before, found.labels_after) == (
            outcome.labels_before, outcome.labels_after,
        )  # fmt: skip
        assert found.actions[0].parameters == action.parameters


def test_masks():
    rng = np.random.default_rng(0)
    mask = rng.random((5, 6, 7)) < 0.5
    said = json.loads(json.dumps(mask_to_json((1, 2, 3), mask)))
    start, found = mask_from_json(said)
    assert start == (1, 2, 3)
    assert np.array_equal(found, mask)
    for damaged in ({}, {**said, "bits": "AAAA"}, {**said, "shape": [50, 60, 70]}):
        with pytest.raises(SlagsegError, match="cannot be read"):
            mask_from_json(damaged)
