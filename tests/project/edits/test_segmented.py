import multiprocessing
import os
import pickle
import uuid
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from napari_slagseg import io
from napari_slagseg.data import Action, SlagsegError, delta_between
from napari_slagseg.project import Project
from napari_slagseg.project.edits import StoredEdits

SHAPE = (20, 30, 40)


def segment(project, *, labels=None, identity="", **attributes):
    """Store a segmentation of 3 particles, as 'segment' does."""
    if labels is None:
        labels = np.zeros(SHAPE, np.uint32)
        labels[2:8, 2:8, 2:8], labels[10:18, 10:20, 10:20], labels[2:8, 20:28, 30:38] = 1, 2, 3
    phases = (labels > 0).astype(np.uint8)
    io.write_zarr_arrays(
        project.segmentation_path,
        {"particles": labels, "phases": phases, "particle_probability": phases},
        voxel_size_um=(2.0, 2.0, 2.0),
        attributes={**({"id": identity} if identity else {}), **attributes},
    )
    return labels


def deletion(project, label):
    """Action that makes a particle background."""
    particles = project.edits().volumes["particles"]
    before = particles[...]
    after = np.where(before == label, np.uint32(0), before)
    return Action(
        "delete",
        {"labels": [label]},
        (delta_between("particles", (0, 0, 0), before, after),),
        (label,),
    )


def test_a_segmentation_has_the_id_it_was_given(project):
    with pytest.raises(SlagsegError, match="Run 'segment' first"):
        project.segmentation_id()
    name = uuid.uuid4().hex
    segment(project, identity=name)
    assert project.segmentation_id() == name
    assert project.edits_folder() == project.folder / "edits" / name
    assert project.edits_folder("abc") == project.folder / "edits" / "abc"


def test_an_id_cannot_lead_out_of_the_folder(project):
    segment(project, identity="../up")
    with pytest.raises(SlagsegError, match=r"'\.\./up'"):
        project.edits_folder()


def test_an_older_segmentation_goes_by_its_content(project):
    segment(project)
    assert project.segmentation_id() == io.fingerprint(project.segmentation_path)[:32]


@pytest.mark.parametrize("attributes", [{}, {"largest_label": 3}])
def test_new_particles_follow_the_largest(project, attributes):
    segment(project, identity="a1", **attributes)
    assert project.edits().new_labels() == range(4, 5)


def test_edits_are_there_again_after_closing_and_apart_for_another_segmentation(project):
    labels = segment(project, identity="a1")
    with project.writing():
        history = project.edits()
        assert project.edits() is history
        history.do(deletion(project, 2))
    again = Project(project.folder)
    assert np.array_equal(again.edits().volumes["particles"][...], np.where(labels == 2, 0, labels))
    segment(project, identity="b2")
    assert project.edits() is not history
    assert not project.edits().done
    segment(project, identity="a1")
    assert [entry.kind for entry in Project(project.folder).edits().done] == ["delete"]


def test_edits_need_the_lock(project):
    segment(project, identity="a1")
    with pytest.raises(RuntimeError, match=r"project\.writing"):
        project.edits().do(deletion(project, 1))


def test_edits_of_another_process_are_read_when_the_lock_is_taken(project):
    segment(project, identity="a1")
    other = Project(project.folder)
    reader = Project(project.folder)
    assert not reader.edits().done
    with other.writing():
        other.edits().do(deletion(other, 1))
    assert len(reader.edits().done) == 1
    with project.writing():
        project.edits().do(deletion(project, 2))
        assert len(project.edits().done) == 2


def test_a_damaged_end_is_cut_off_and_told_when_the_lock_is_taken(project):
    segment(project, identity="a1")
    with project.writing():
        project.edits().do(deletion(project, 1))
    journal = project.edits_folder() / "journal.slg"
    with journal.open("ab") as file:
        file.write(b"half a record")
    again = Project(project.folder)
    with again.writing():
        assert again.edits().cut.size == 13
        assert len(again.edits().done) == 1


def test_a_history_that_was_open_tells_what_was_cut_off(project):
    segment(project, identity="a1")
    with project.writing():
        project.edits().do(deletion(project, 1))
    with (project.edits_folder() / "journal.slg").open("ab") as file:
        file.write(b"half a record")
    viewer = Project(project.folder)
    history = viewer.edits()
    assert history.cut is None
    with viewer.writing():
        assert viewer.edits() is history
        assert history.cut.size == 13
        history.do(deletion(viewer, 2))
    assert len(Project(project.folder).edits().done) == 2


def test_a_journal_that_cannot_be_read_stops_no_other_step(project):
    segment(project, identity="a1")
    with project.writing():
        project.edits().do(deletion(project, 1))
    (project.edits_folder() / "journal.slg").write_bytes(b"no journal at all")
    again = Project(project.folder)
    with again.writing():
        pass
    with pytest.raises(SlagsegError, match="does not begin as an edit journal does"):
        again.edits()


def test_a_volume_is_read_as_edited_also_by_other_processes(project):
    labels = segment(project, identity="a1")
    wanted = np.where(labels == 2, 0, labels)
    assert isinstance(project.segmentation_volume("particles"), io.ZarrVolume)
    with project.writing():
        project.edits().do(deletion(project, 2))
        particles, phases = (project.segmentation_volume(n) for n in ("particles", "phases"))
        assert isinstance(particles, StoredEdits)
        assert isinstance(phases, io.ZarrVolume)
        assert isinstance(project.segmentation_volume("particles", edited=False), io.ZarrVolume)
        sent = pickle.dumps(particles)
        assert len(sent) < 600
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
            found = pool.submit(np.array, pickle.loads(sent)).result()
        assert np.array_equal(found, wanted)
        assert np.array_equal(particles[3:19:2, ::-1, 15], wanted[3:19:2, ::-1, 15])
        assert particles[12, 12, 12] == 0
        project.edits().undo()
        # what was opened stays as it was
        assert np.array_equal(particles[...], wanted)
        assert isinstance(project.segmentation_volume("particles"), io.ZarrVolume)
        project.edits().redo()
    assert np.array_equal(Project(project.folder).segmentation("particles"), wanted)
    assert project.segmentation("particle_probability").max() == 1


def test_a_reader_without_the_lock_sees_edits_that_are_not_stored(project):
    labels = segment(project, identity="a1")
    with project.writing():
        project.edits().do(deletion(project, 2))
    assert not list(project.edits_folder().glob("overlay-*"))
    reader = Project(project.folder)
    found = reader.segmentation_volume("particles")
    assert np.array_equal(found[...], np.where(labels == 2, 0, labels))


def test_edited_chunks_are_stored_when_a_long_session_ends(project):
    segment(project, identity="a1")
    with project.writing():
        project.edits().do(deletion(project, 1))
        for _ in range(10):
            project.edits().undo()
            project.edits().redo()
    (stored,) = project.edits_folder().glob("overlay-*.json")
    with project.writing():
        pass
    assert list(project.edits_folder().glob("overlay-*.json")) == [stored]


def test_lists_of_chunks_that_nobody_needs_go_when_the_project_is_opened(project):
    segment(project, identity="a1")
    with project.writing():
        for label in (1, 2, 3):
            project.edits().do(deletion(project, label))
            project.edits().store()
    assert len(list(project.edits_folder().glob("overlay-*.json"))) == 3
    wanted = project.segmentation("particles")
    with Project(project.folder).writing():
        pass
    assert len(list(project.edits_folder().glob("overlay-*.json"))) == 2
    assert len(list(project.edits_folder().glob("chunks/*/*.chunk"))) == 2
    assert np.array_equal(Project(project.folder).segmentation("particles"), wanted)


def test_the_digest_tells_what_holds(project):
    segment(project, identity="a1")
    assert project.edits_digest() == ""
    with project.writing():
        project.edits().do(Action("lock", {"labels": [1]}, (), (1,), (1,)))
        assert project.edits_digest() == ""
        project.edits().do(deletion(project, 2))
        one = project.edits_digest()
        assert len(one) == 32
        assert Project(project.folder).edits_digest() == one
        project.edits().do(deletion(project, 1))
        assert project.edits_digest() not in ("", one)
        project.edits().undo()
        assert project.edits_digest() == Project(project.folder).edits_digest() == one
        project.edits().undo()
        assert project.edits_digest() == ""


def test_levels_follow_the_edits(project):
    labels = segment(project, identity="a1")
    fine = project.segmentation_levels("particles")[0]
    assert np.array_equal(fine[...], labels)
    with project.writing():
        project.edits().do(deletion(project, 2))
    assert np.array_equal(fine[...], np.where(labels == 2, 0, labels))


def test_edits_of_earlier_segmentations(project):
    assert project.earlier_edits() == []
    for identity, label in (("z1", 1), ("a2", 2), ("m3", 3)):
        segment(project, identity=identity)
        with project.writing():
            action = project.edits().do(replace(deletion(project, label), when=f"2026-0{label}"))
        if identity == "a2":
            kept = action
    earlier = project.earlier_edits()
    assert {edits.id for edits in earlier} == {"z1", "a2"}
    (a2,) = (edits for edits in earlier if edits.id == "a2")
    assert [entry.labels_before for entry in a2.done] == [(2,)]
    assert (a2.done[0].low, a2.done[0].high) == ((10, 10, 10), (18, 20, 20))
    assert a2.done[0].voxels == 800
    assert list(a2.actions()) == [kept]
    assert a2.facts["largest_label"] == 3


def test_a_step_of_a_child_leaves_the_journal_alone(project):
    """The parent that lends its lock may be in the middle of an edit."""
    segment(project, identity="a1")
    with project.writing():
        project.edits().do(deletion(project, 1))
        journal = project.edits_folder() / "journal.slg"
        with journal.open("ab") as file:
            file.write(b"half a record")
        size = journal.stat().st_size
        child = Project(project.folder, parent=os.getpid())
        with child.writing():
            assert child.lock.borrowed
            assert len(child.edits().done) == 1
        assert journal.stat().st_size == size
