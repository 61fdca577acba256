"""Edits listed, done again and exported from a terminal."""

import threading

import numpy as np
import pytest

from napari_slagseg import io
from napari_slagseg.data import Action, delta_between, phase_table_of
from napari_slagseg.project import Project
from napari_slagseg.workflow.segment import table_to_json

SHAPE = (56, 96, 96)
WHEN = "2026-03-01T10:20:30+00:00"


def labels(numbers=(1, 2, 3)):
    """Three particles in a row along x, the first two touching."""
    made = np.zeros(SHAPE, np.uint32)
    for n, x in zip(numbers, (10, 30, 60)):
        made[20:40, 20:40, x : x + 20] = n
    return made


def segment(project, identity, particles):
    table = phase_table_of(["background", "LiAlO2"], ["#000000", "#d55e00"]).with_target("LiAlO2")
    phases = (particles > 0).astype(np.uint8)
    io.write_zarr_arrays(
        project.segmentation_path,
        {"particles": particles, "phases": phases, "particle_probability": phases * 200},
        voxel_size_um=project.voxel_size_um,
        attributes={"id": identity, "largest_label": 3, "phase_table": table_to_json(table)},
    )


def edited(project, kind, change, parameters=None):
    """Store an edit of the particles and their phases."""
    history = project.edits()
    before = {name: volume[...] for name, volume in history.volumes.items()}
    after = before["particles"].copy()
    change(after)
    phases = np.where(after > 0, before["phases"], 0).astype(np.uint8)
    deltas = [delta_between("particles", (0, 0, 0), before["particles"], after)]
    deltas.append(delta_between("phases", (0, 0, 0), before["phases"], phases))
    names = [set(np.unique(d).tolist()) - {0} for d in (deltas[0].old, deltas[0].new)]
    return history.do(
        Action(
            kind,
            parameters or {},
            tuple(deltas),
            *names,
            who="anna",
            when="2026-03-01T10:20:30+00:00",
        )
    )


@pytest.fixture
def project(tiny_project):
    """Particle 3 deleted, the upper half of 1 made 4, that undone; 2 merged into 1 undone too."""
    opened = Project(tiny_project)
    segment(opened, "a1", labels())
    with opened.writing():
        edited(opened, "delete", lambda a: a.__setitem__(a == 3, 0))
        edited(opened, "split", split)
        edited(opened, "merge", lambda a: a.__setitem__(a == 2, 1), {"seen": {"1": [22, 30, 20]}})
        opened.edits().undo()
    return tiny_project


def split(particles):
    upper = particles[30:]
    upper[upper == 1] = 4


def wanted():
    made = labels()
    made[made == 3] = 0
    split(made)
    return made


def test_the_list_says_all(slagseg, project):
    answer = slagseg("edits", project)
    assert answer.code == 0, answer.err
    head, first, second, third, count = answer.out.splitlines()
    assert head.split()[:3] == ["no.", "when", "(UTC)"]
    # the middle of 60..79 is 69, at 2.3 um
    assert first.split()[:6] == ["1", "2026-03-01", "10:20:30", "anna", "delete", "done"]
    assert "8,000      8,000  29, 29, 69" in first
    assert "66.7, 66.7, 158.7" in first
    assert first.endswith(" 3")
    assert second.split()[4:7] == ["split", "done", "4,000"]
    assert second.endswith("1 4")
    assert third.split()[4:6] == ["merge", "undone"]
    assert count == "3 edits: 2 done, 1 undone."


def test_the_list_for_programs(slagseg, project):
    answer = slagseg("edits", project, "--json")
    (segmentation,) = answer.values["segmentations"]
    assert (segmentation["id"], segmentation["present"]) == ("a1", True)
    assert [e["state"] for e in segmentation["edits"]] == ["done", "done", "undone"]
    first = segmentation["edits"][0]
    assert first["middle"] == [29, 29, 69]
    assert first["middle_um"] == pytest.approx([66.7, 66.7, 158.7])
    assert (first["particle_voxels"], first["phase_voxels"]) == (8000, 8000)
    assert first["particles"] == [3]


def test_the_status_counts_them(slagseg, project):
    said = slagseg("status", project).out
    assert f"Edits by hand: 2 hold, 1 undone (slagseg edits {project})" in said
    segment(Project(project), "b2", labels())
    assert slagseg("status", project, "--json").values["edits"] == {
        "done": 0, "undone": 0, "earlier": 2,
    }  # fmt: skip
    (project / "edits/a1/journal.slg").write_bytes(b"?" * 99)
    answer = slagseg("status", project)
    assert answer.code == 0
    assert "Edits by hand cannot be read" in answer.out


def test_nothing_was_edited(slagseg, tiny_project, refused):
    refused(slagseg("edits", tiny_project), "has no segmentation yet", "Run 'segment' first")
    segment(Project(tiny_project), "a1", labels())
    assert slagseg("edits", tiny_project).out == "Nothing was edited.\n"
    answer = slagseg("edits", tiny_project, "--export", tiny_project / "c.zarr")
    refused(answer, "as it was made", "no corrections to write")


def test_edits_of_earlier_segmentations(slagseg, project):
    segment(Project(project), "b2", labels())
    assert slagseg("edits", project).out == "Nothing was edited.\n"
    answer = slagseg("edits", project, "--all")
    assert answer.out.startswith("Segmentation a1 (earlier)\n")
    assert answer.out.endswith("Segmentation b2 (present)\nNothing was edited.\n")


def test_a_copy_with_the_edits(slagseg, project, tmp_path, refused):
    answer = slagseg("edits", project, "--replay", tmp_path / "copy.zarr", "--json")
    assert answer.code == 0, answer.err
    assert answer.values["edits"] == 2
    assert answer.values["not_whole"] == []
    copy = tmp_path / "copy.zarr"
    assert np.array_equal(io.read_zarr_array(copy, "particles"), wanted())
    assert np.array_equal(io.read_zarr_array(copy, "phases"), wanted() > 0)
    assert np.array_equal(io.read_zarr_array(copy, "particle_probability") > 0, labels() > 0)
    assert io.stored_voxel_size(copy / "particles") == pytest.approx((2.3, 2.3, 2.3))
    attributes = io.read_zarr_attributes(copy)
    assert attributes["id"] not in ("a1", "")
    assert attributes["largest_label"] == 4
    assert attributes["phase_table"]["target"] == "LiAlO2"
    refused(slagseg("edits", project, "--replay", copy), "copy.zarr is there already")
    refused(slagseg("edits", project, "--replay", tmp_path / "c.tif"), "must end in .zarr")
    assert not list(tmp_path.glob(".*slagseg*"))
    # what was copied is what the project shows
    assert np.array_equal(Project(project).segmentation("particles"), wanted())


def test_edits_of_an_earlier_segmentation_done_again(slagseg, project, tmp_path):
    other = np.array([0, 3, 1, 2], np.uint32)[labels()]
    segment(Project(project), "b2", other)
    out = tmp_path / "copy.zarr"
    answer = slagseg("edits", project, "--replay", out, "--from", "a")
    assert answer.code == 0, answer.err
    assert "with 2 edits of a1 and 0 of its own in it" in answer.out
    found = io.read_zarr_array(out, "particles")
    assert np.array_equal(found, np.array([0, 3, 1, 0, 4], np.uint32)[wanted()])


def test_edits_that_do_not_fit_are_told(slagseg, project, tmp_path):
    other = labels()
    other[20, 20:40, 60:80] = 0  # one of the twenty layers of particle 3
    other[other == 1] = 0
    segment(Project(project), "b2", other)
    out = tmp_path / "copy.zarr"
    answer = slagseg("edits", project, "--replay", out, "--from", "a1", "--json")
    assert answer.code == 4, answer.err
    # of the deleted particle there are 19 of 20 layers; of the split one nothing is there
    told = answer.values["not_whole"]
    assert [(n["kind"], n["fate"]) for n in told] == [("delete", "again"), ("split", "conflict")]
    assert (told[0]["fits"], told[0]["voxels"]) == (7600, 8000)
    assert told[1]["why"] == "particle 1 is not there any more"
    assert answer.values["edits"] == 1
    assert set(np.unique(io.read_zarr_array(out, "particles"))) == {0, 2}
    text = slagseg("edits", project, "--replay", tmp_path / "b.zarr", "--from", "a1").out
    assert "not done: split of 1, 4 at 34, 29, 19: particle 1 is not there" in text


def test_whose_edits_there_are(slagseg, project, tmp_path, refused):
    answer = slagseg("edits", project, "--replay", tmp_path / "c.zarr", "--from", "a1")
    refused(answer, "No earlier segmentations", "'a1'", "none")
    assert slagseg("edits", project, "--from", "a1").code == 2
    both = slagseg(
        "edits", project, "--replay", tmp_path / "c.zarr", "--export", tmp_path / "d.tif"
    )
    assert both.code == 2


@pytest.mark.parametrize("suffix", [".zarr", ".tif"])
def test_the_corrections_alone(slagseg, project, tmp_path, suffix, refused):
    out = tmp_path / f"fix{suffix}"
    answer = slagseg("edits", project, "--export", out, "--json")
    assert answer.code == 0, answer.err
    assert (answer.values["particle_voxels"], answer.values["phase_voxels"]) == (12000, 8000)

    def read(name):
        if suffix == ".zarr":
            return io.read_zarr_array(out, name)
        name = "fix.tif" if name == "particles" else f"fix_{name}.tif"
        assert io.stored_voxel_size(tmp_path / name) == pytest.approx((2.3,) * 3)
        return np.asarray(io.open_labels(tmp_path / name))

    changed = wanted() != labels()
    assert np.array_equal(read("particles"), np.where(changed, wanted(), 0))
    assert np.array_equal(read("particles_before"), np.where(changed, labels(), 0))
    assert np.array_equal(read("phases_before"), labels() == 3)
    assert not read("phases").any()
    assert np.array_equal(read("changed"), 1 * changed + 2 * (labels() == 3))
    refused(slagseg("edits", project, "--export", out), "is there already")
    refused(slagseg("edits", project, "--export", tmp_path / "c.csv"), "ends in '.csv'", ".zarr")


def test_a_stopped_copy_leaves_nothing(project, tmp_path):
    from napari_slagseg.data import CancelledError
    from napari_slagseg.workflow.proofreading.replaying import replay

    cancel, said = threading.Event(), []

    def stop(event):
        said.append(event.stage)
        cancel.set()

    before = sorted(tmp_path.iterdir())
    with pytest.raises(CancelledError):
        replay(Project(project), tmp_path / "copy.zarr", progress=stop, cancel=cancel)
    assert said
    assert sorted(tmp_path.iterdir()) == before
