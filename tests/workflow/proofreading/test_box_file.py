"""Boxes on disk: what is read is right, or not read at all."""

import numpy as np
import pytest
from tests.workflow.proofreading.test_edits import check_boxes

from napari_slagseg.project import Project
from napari_slagseg.workflow.proofreading import Proofreader, editing, finding
from napari_slagseg.workflow.proofreading.box_file import read_boxes, write_boxes

SHAPE = (30, 30, 30)
BOXES = (np.array([3, 8]), np.array([[0, 1, 2, 3, 4, 5], [20, 20, 20, 30, 30, 30]]))


@pytest.mark.parametrize("digest", ["", "00f3" * 8, "f" * 32])
def test_back_as_written(tmp_path, digest):
    write_boxes(tmp_path / "boxes.npy", BOXES, digest)
    (labels, ends), found = read_boxes(tmp_path / "boxes.npy", SHAPE)
    assert found == digest
    assert labels.tolist() == BOXES[0].tolist()
    assert ends.tolist() == BOXES[1].tolist()


def test_of_no_particle(tmp_path):
    write_boxes(tmp_path / "boxes.npy", (np.empty(0, np.int64), np.empty((0, 6), np.int64)), "")
    assert len(read_boxes(tmp_path / "boxes.npy", SHAPE)[0][0]) == 0


def test_damaged_or_of_another_volume(tmp_path):
    path = tmp_path / "boxes.npy"
    assert read_boxes(path, SHAPE) is None
    write_boxes(path, BOXES, "")
    assert read_boxes(path, (25, 30, 30)) is None
    whole = path.read_bytes()
    for at in range(len(whole) - 1, 0, -7):
        path.write_bytes(whole[:at])
        assert read_boxes(path, SHAPE) is None
    for at in range(130, len(whole), 5):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert read_boxes(path, SHAPE) is None
    np.save(path, np.array([{"code": 1}], dtype=object), allow_pickle=True)
    assert read_boxes(path, SHAPE) is None


@pytest.fixture
def scans(monkeypatch):
    """How often the whole volume is gone through."""
    count = []
    plain = finding.boxes_of_volume
    monkeypatch.setattr(
        finding, "boxes_of_volume", lambda *a, **k: count.append(1) or plain(*a, **k)
    )
    return count


def opened(project):
    again = Proofreader(Project(project.folder))
    check_boxes(again)
    return again


@pytest.mark.parametrize("saved", [False, True])
def test_the_volume_is_gone_through_once(project, reader, scans, saved):
    check_boxes(reader)
    reader.split(1, [(7, 7, 8), (7, 7, 17)])
    reader.merge([2, 3])
    reader.delete([5])
    reader.undo()
    if saved:
        reader.save_boxes()
        reader.undo()
    opened(project)
    reader.undo()
    reader.delete([4])  # what was undone is forgotten
    opened(project)
    assert len(scans) == 1


def test_a_damaged_file_is_made_again(project, reader, scans):
    reader.delete([5])
    reader.save_boxes()
    path = project.edits_folder() / "boxes.npy"
    path.write_bytes(path.read_bytes()[:-9])
    opened(project)
    assert len(scans) == 2


def test_boxes_of_other_edits_are_not_taken(project, reader, scans):
    reader.delete([5])
    reader.save_boxes()
    (project.edits_folder() / "journal.slg").unlink()
    opened(project)
    assert len(scans) == 2


def test_boxes_are_stored_now_and_then(project, reader, scans, monkeypatch):
    monkeypatch.setattr(editing, "_SAVE_EVERY", 3)
    path = project.edits_folder() / "boxes.npy"
    states = set()
    for label in (5, 4, 3, 2):
        reader.delete([label])
        states.add(path.read_bytes())
    assert len(states) == 2
