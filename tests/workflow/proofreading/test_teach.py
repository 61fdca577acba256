"""Teaching a network by hand edits: nothing changes before it is taken, and then all at once."""

import shutil
import threading

import numpy as np
import pandas as pd
import pytest
from scipy.ndimage import maximum_filter

from napari_slagseg import io
from napari_slagseg.data import (
    CancelledError,
    Cutout,
    MineralMap,
    Phase,
    PhaseTable,
    PlacedMap,
    PlacementSurface,
    SlagsegError,
)
from napari_slagseg.networks.preview_file import read_preview
from napari_slagseg.project import Correction, Project
from napari_slagseg.project import proposal as proposal_module
from napari_slagseg.workflow import STEPS, TeachConfig, annotate, make_config, run_step, states
from napari_slagseg.workflow import lesson as lesson_module
from napari_slagseg.workflow.configs import AnnotateConfig
from napari_slagseg.workflow.lesson import lesson_of, particles_in_space, trusted_particles
from napari_slagseg.workflow.proofreading import Proofreader
from napari_slagseg.workflow.proofreading.proposal_words import VERSIONS, worse
from napari_slagseg.workflow.proofreading.proposing import (
    accept_proposal,
    discard_proposal,
    proposal_conflicts,
    proposal_edits,
)
from napari_slagseg.workflow.segment import chosen_runs
from napari_slagseg.workflow.suspect_tables import SuspectTables
from napari_slagseg.workflow.teach import settings_of, starting_run

SHAPE = (24, 48, 48)
TABLE = PhaseTable(
    (Phase(0, "background", "#000000"), Phase(1, "ore", "#d55e00"), Phase(2, "rest", "#56b4e9")),
    "ore",
)
TRAINING = {"size": "tiny", "epochs": 2, "steps": 6, "batch": 2, "patch": 16, "device": "cpu",
            "learning_rate": 5e-3, "threads": 1, "elastic": False}  # fmt: skip
QUICK = TeachConfig(epochs=1, steps=3, threads=1, preview=0)


def rods():
    """Labels of rods along z, of which two touch, and their phases."""
    labels = np.zeros(SHAPE, np.uint32)
    labels[2:22, 6:18, 6:18] = 1
    labels[2:22, 6:18, 18:30] = 2
    labels[2:22, 28:42, 8:20] = 3
    labels[2:22, 28:42, 28:42] = 4
    return labels, np.where(labels > 0, np.where(labels % 2, 1, 2), 0).astype(np.uint8)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A project of rods with networks of a few steps; 1 and 2 are one particle, 4 is two."""
    folder = tmp_path_factory.mktemp("teach")
    labels, phases = rods()
    grey = phases * 80 + np.random.default_rng(0).normal(30, 4, SHAPE)
    io.write_volume(folder / "ct.tif", grey.clip(0, 255).astype(np.uint8), (2.0, 2.0, 2.0))
    io.write_legend(TABLE, folder / "legend.csv")
    cut = phases[12].astype(np.int16).repeat(2, 0).repeat(2, 1)
    io.write_false_colour(MineralMap(cut, 1.0, TABLE, "cut"), folder / "cut.png")
    project = Project.create(
        folder / "project", ct=folder / "ct.tif", maps=[folder / "cut.png"],
        legend=folder / "legend.csv", pixel_size_um=1.0, target="ore",
    )  # fmt: skip
    at = np.linspace(0, 95, 5)
    zyx = np.stack(
        np.broadcast_arrays(12.0, (at[:, None] + 0.5) / 2 - 0.5, (at[None] + 0.5) / 2 - 0.5), -1
    )
    cutouts = tuple(
        Cutout(0, c, 96, 32, (12.0, 23.5, c / 2 + 7.5), (0, 0.5, 0), (0, 0, 0.5), 0.9)
        for c in (0, 32, 64)
    )
    with project.writing():
        project.save_placed(
            PlacedMap(
                "cut", (96, 96), 1.0, SHAPE, (2.0, 2.0, 2.0), True, 0.9,
                surface=PlacementSurface(at, at, zyx), cutouts=cutouts,
            )
        )  # fmt: skip
    run_step(project, STEPS["annotate"])
    for name in ("train-phase", "train-particle"):
        run_step(project, STEPS[name], make_config(STEPS[name], TRAINING))
    settings = {"threshold": 0.5, "minimum_voxels": 20, "tile": 16, "halo": 8, "engine": "torch",
                "threads": 1}  # fmt: skip
    run_step(project, STEPS["segment"], make_config(STEPS["segment"], settings))
    wrong = labels.copy()
    wrong[labels == 2] = 1
    wrong[2:22, 28:42, 35:42] = np.where(wrong[2:22, 28:42, 35:42] == 4, 5, 0)
    chance = np.where(wrong > 0, 250, 5).astype(np.uint8)
    chance[:, :, 33:37] = np.minimum(chance[:, :, 33:37], 60)
    attributes = io.read_zarr_attributes(project.segmentation_path)
    io.write_zarr_arrays(
        project.segmentation_path,
        {"phases": phases, "particles": wrong, "particle_probability": chance},
        (2.0, 2.0, 2.0),
        {**attributes, "id": "first", "largest_label": 5, "threshold": 0.5},
    )
    return folder


@pytest.fixture
def project(made, tmp_path):
    shutil.copytree(made, tmp_path / "copy")
    return Project(tmp_path / "copy" / "project")


@pytest.fixture(scope="module")
def taught_once(made, tmp_path_factory):
    folder = tmp_path_factory.mktemp("taught") / "copy"
    shutil.copytree(made, folder)
    project = Project(folder / "project")
    edit(project)
    run_step(project, STEPS["teach"], QUICK)
    return folder


@pytest.fixture
def taught(taught_once, tmp_path):
    """A project with a proposal that waits."""
    shutil.copytree(taught_once, tmp_path / "taught")
    return Project(tmp_path / "taught" / "project")


def edit(project):
    """Cut 1 in two, join 4 and 5."""
    with project.writing():
        reader = Proofreader(project)
        reader.split(1, [(12, 12, 10), (12, 12, 26)])
        reader.merge([4, 5])
    return reader


def everything(folder):
    """Files of a project but for what is noted of the work itself."""
    left_out = ("proposal", ".work", "journal.jsonl", "edits", "steps", ".lock")
    return {
        p.relative_to(folder).as_posix(): p.read_bytes()
        for p in sorted(folder.rglob("*"))
        if p.is_file() and not p.relative_to(folder).as_posix().startswith(left_out)
    }


def test_there_must_be_something_to_learn(project):
    with pytest.raises(SlagsegError, match="nothing to learn"):
        run_step(project, STEPS["teach"], QUICK)
    with pytest.raises(SlagsegError, match="Run 'teach' first"):
        accept_proposal(project)


def test_what_edits_teach_leaves_the_truth_of_maps_alone(project):
    edit(project)
    lesson = lesson_of(project, lambda event: None)
    truth = project.ground_truth()
    checks = np.zeros(SHAPE, bool)
    checks.reshape(-1)[annotate.split(truth, project)[1].voxels] = True
    labels = rods()[0]
    near = {n: maximum_filter(labels == n, 7) & np.isin(labels, (0, n)) for n in (1, 2, 4)}
    held = {n for n in near if (near[n] & checks).any()}
    assert len(held) in (1, 2)  # the map's held-out side passes these
    known, numbers = lesson.mine.voxels, lesson.mine.numbers
    assert np.array_equal(known, lesson.correction.known)
    assert not np.isin(known, truth.voxels).any()
    taught = labels.reshape(-1)[known[numbers > 0]]
    # all of the others but the slice of the map
    assert {n: (taught == n).sum() for n in set(near) - held} == {
        n: (labels == n).sum() * 19 // 20 for n in set(near) - held
    }
    assert set(taught.tolist()) == set(near) - held
    assert not len(lesson.correction.voxels)
    errors = lesson.errors
    whole = errors.to_background + errors.to_particle + errors.on_maps
    # a border of two voxels along the cut, and the gap that the network saw in particle 4
    assert whole == 2 * 20 * 12 + 4 * 20 * 14
    assert lesson.correction.origin == "edits of first"


def scored(project, score):
    """Suspects of which all have this score."""
    run_step(project, STEPS["suspects"])
    tables = SuspectTables.of(project)
    queue = tables.queue()
    one = queue.iloc[:1].assign(label=3, partner=0, kind="shape")
    queue = pd.concat([queue, one], ignore_index=True)
    io.write_frame(tables.queue_path, queue.assign(score=score))


def test_particles_that_nobody_doubts_are_learnt_from_but_not_kept(project):
    run_step(project, STEPS["annotate"], AnnotateConfig(hold_out="none"))
    edit(project)
    alone = lesson_of(project, lambda event: None)
    assert (alone.trusted, len(alone.others.voxels)) == (0, 0)
    scored(project, 0.1)
    lesson = lesson_of(project, lambda event: None, trust=0.2)
    # 1, 2 and 4 were edited; nothing else of the lesson changes
    assert lesson.trusted == 1
    assert np.array_equal(lesson.correction.known, alone.correction.known)
    assert np.array_equal(lesson.mine.voxels, alone.mine.voxels)
    of_maps = project.ground_truth()
    inside = lesson.others.voxels[lesson.others.numbers > 0]
    labels = rods()[0]
    wanted = np.setdiff1d(np.flatnonzero(labels == 3), of_maps.voxels)
    assert np.array_equal(inside, wanted)
    truth = annotate.make_truth(
        project, AnnotateConfig(hold_out="none"), [lesson.correction], lambda event: None, None
    )
    assert not np.isin(inside, truth.voxels).any()
    training = lesson.added_to(annotate.split(truth, project)[0])
    at = np.searchsorted(training.voxels, inside)
    assert (training.foreground[at] == 1).all()
    assert (training.particles[at] == -1).all()
    in_space = particles_in_space(training, lesson)
    now = np.zeros(SHAPE, np.int64)
    now.reshape(-1)[in_space.voxels] = in_space.particles
    present = np.asarray(Proofreader(project).particles)
    known = np.zeros(SHAPE, bool)
    known.reshape(-1)[in_space.voxels] = True
    assert np.array_equal(now[known], present[known])
    assert not np.isin(in_space.voxels, of_maps.voxels).any()
    assert {1, 3, 4} <= set(now[known].tolist())
    # nobody is trusted whose score is too high, or where there is no room
    assert not lesson_of(project, lambda event: None, trust=0.1).trusted
    assert not lesson_of(project, lambda event: None, trust=0.0).trusted


def test_trusted_particles_alone_are_nothing_to_learn(project):
    scored(project, 0.1)
    with pytest.raises(SlagsegError, match="nothing to learn"):
        lesson_of(project, lambda event: None)


def test_suspects_of_another_segmentation_tell_nothing(project):
    scored(project, 0.1)
    attributes = io.read_zarr_attributes(project.segmentation_path)
    arrays = {n: project.segmentation_volume(n)[...] for n in ("phases", "particles")}
    chance = project.segmentation_volume("particle_probability")[...]
    io.write_zarr_arrays(
        project.segmentation_path, {**arrays, "particle_probability": chance},
        (2.0, 2.0, 2.0), {**attributes, "id": "second"},
    )  # fmt: skip
    edit(Project(project.folder))
    assert not lesson_of(Project(project.folder), lambda event: None).trusted


def test_of_many_trusted_particles_some_are_taken_evenly(project, monkeypatch):
    scored(project, 0.1)
    path = SuspectTables.of(project).queue_path
    queue = SuspectTables.of(project).queue()
    # of a missed particle the partner is its first voxel
    missed = queue.iloc[:1].assign(label=0, partner=3, kind="missed", score=0.9)
    io.write_frame(path, pd.concat([queue, missed], ignore_index=True))
    reader = Proofreader(project)
    assert trusted_particles(project, reader, 0.2) == [1, 3, 4, 5]
    sizes = [np.prod([s.stop - s.start for s in reader.box_of(n)]) for n in (1, 3, 4, 5)]
    monkeypatch.setattr(lesson_module, "MOST_TRUSTED", int(sum(sizes)) // 2 + 1)
    assert trusted_particles(project, reader, 0.2) == [1, 4]


def test_nothing_changes_until_it_is_taken(project):
    edit(project)
    before = everything(project.folder)
    told = []
    result = run_step(
        project, STEPS["teach"], QUICK.model_copy(update={"preview": 0.05}), told.append
    )
    assert everything(project.folder) == before
    assert states(project)["segment"] == "done"
    found = project.proposal.found()
    assert set(found["scores"]) == set(VERSIONS)
    assert found["scores"]["present_edited"]["training"]["particles"]["merger_ratio"] == 0
    lesson = lesson_of(project, told.append)
    assert found["correction"]["known"] == len(lesson.correction.known)
    assert found["correction"]["to_particle"] == lesson.errors.to_particle
    assert "Nothing is changed until you take it" in result.message
    shown = read_preview(project.proposal.network)
    assert shown.now.shape == (1, *SHAPE)
    assert any("preview" in event.values for event in told)
    assert any("loss" in event.values for event in told)
    present = project.edits().volumes["particles"][...]
    proposed = proposal_edits(project).history().volumes["particles"][...]
    for label in np.unique(present[present > 0])[[0, -1]]:
        if label in (1, 4, 6):  # edited
            (new,) = np.unique(proposed[present == label])
            assert ((proposed == new) == (present == label)).all()


def test_taking_it_brings_all_and_keeps_the_old_one(taught):
    project = taught
    proposed = proposal_edits(project).history().volumes["particles"][...]
    new = proposal_edits(project).segmentation_id()
    accept_proposal(project)
    assert not project.proposal.folder.exists()
    assert project.segmentation_id() == new
    assert np.array_equal(project.edits().volumes["particles"][...], proposed)
    assert io.read_zarr_attributes(project.proposal.before)["id"] == "first"
    assert (project.folder / "edits" / "first" / "journal.slg").is_file()
    assert [c.origin for c in project.corrections()] == ["edits of first"]
    assert [run.name for run in project.trained_runs("particle")] == ["run_1", "run_2"]
    assert chosen_runs(project, "particle", None, 1)[0].name == "run_2"
    found = states(project)
    assert {n: found[n] for n in ("annotate", "train-phase", "train-particle", "segment")} == {
        "annotate": "done", "train-phase": "done", "train-particle": "done", "segment": "done",
    }  # fmt: skip
    assert proposal_conflicts(project) is not None
    # a second round starts from the taught network
    assert starting_run(project, None).name == "run_2"


@pytest.mark.parametrize("moves", range(6))
def test_a_kill_while_it_takes_the_place_is_made_good(taught, monkeypatch, moves):
    project = taught
    proposed = proposal_edits(project).history().volumes["particles"][...]
    done = []

    def move(new, path):
        if len(done) == moves:
            raise KeyboardInterrupt
        done.append(path)
        io.replace_folder(new, path)

    monkeypatch.setattr(proposal_module, "replace_folder", move)
    with pytest.raises(KeyboardInterrupt):
        accept_proposal(project)
    monkeypatch.undo()
    again = Project(project.folder)
    assert not again.proposal.ready
    with again.writing():
        pass
    assert np.array_equal(again.edits().volumes["particles"][...], proposed)
    assert io.read_zarr_attributes(again.proposal.before)["id"] == "first"
    assert states(again)["segment"] == "done"
    assert len(again.corrections()) == 1
    assert len(again.trained_runs("particle")) == 2


def test_keeping_the_old_one_leaves_the_earlier_network_in_use(taught):
    project = taught
    before = everything(project.folder)
    kept = discard_proposal(project)
    assert kept == "models/particle/declined/run_1"
    after = everything(project.folder)
    assert {name for name in after if name not in before and not name.startswith(kept)} == set()
    assert {name: after[name] for name in before} == before
    assert chosen_runs(project, "particle", None, 1)[0].name == "run_1"
    assert not project.proposal.folder.exists()


def test_it_goes_on_after_a_cancel(project):
    edit(project)
    stop, steps = threading.Event(), []

    def tell(event):
        if "step" in event.values:
            steps.append(event.values["step"])
            if len(steps) == 4:
                stop.set()

    config = TeachConfig(epochs=2, steps=3, threads=1, preview=0)
    with pytest.raises(CancelledError):
        run_step(project, STEPS["teach"], config, tell, stop)
    assert not project.proposal.ready
    stop.clear()
    run_step(project, STEPS["teach"], config, tell)
    assert len(steps) == 6  # the four before are not done again
    assert project.proposal.ready


def test_edits_made_meanwhile_are_carried_over_when_it_is_taken(taught):
    project = taught
    with project.writing():
        Proofreader(project).lock([3])
    accept_proposal(project)
    kept = Proofreader(project)
    assert len(kept.locked()) == 1
    (label,) = kept.locked()
    assert np.array_equal(np.asarray(kept.particles) == label, rods()[0] == 3)


def test_the_same_edits_count_once(project):
    edit(project)
    first = lesson_of(project, lambda event: None).correction
    with project.writing():
        project.add_correction(Correction(np.array([3, 9]), np.array([True, False])))
        project.add_correction(first)
        path = project.add_correction(first)
    assert path.name == "0002.zarr"
    assert [c.origin for c in project.corrections()] == ["", "edits of first"]
    run_step(project, STEPS["teach"], QUICK)
    accept_proposal(project)
    assert [c.origin for c in project.corrections()] == ["", "edits of first"]
    painted = project.ground_truth()
    assert {3, 9} <= set(painted.voxels.tolist())


def test_a_worse_network_is_told():
    def of(merger, match=0.9):
        one = {"f1_match": match, "merger_ratio": merger, "splitter_ratio": 0.1}
        return {"training": {"particles": one}, "held_out": {"particles": one}}

    assert worse({"present": of(0.1), "proposal": of(0.1)}) == ()
    assert worse({"present": of(0.1), "proposal": of(0.05, 0.95)}) == ()
    (told,) = worse({"present": of(0.1), "proposal": of(0.2)})
    assert told.endswith("merger ratio 0.100 before, 0.200 now.")
    (told,) = worse({"present": of(0.1), "proposal": of(0.1, 0.8)})
    assert "held-out truth" in told
    assert worse({"present": of(None), "proposal": of(0.1)}) == ()


def test_the_training_goes_on_gently_from_the_networks_own_settings(taught):
    card = io.read_json(taught.proposal.network / "card.json", "a card")
    used = card["settings"]
    assert used["size"] == TRAINING["size"]
    assert used["patch"] == [16, 16, 16]
    assert used["learning_rate"] == 3e-3  # of 5e-3
    assert used["focus"] == 0.5
    initial = settings_of(taught, TeachConfig(learning_rate=1e-3), starting_run(taught, None))
    assert (initial.learning_rate, initial.epochs, initial.steps_per_epoch) == (1e-3, 2, 6)
    note = io.read_json(taught.proposal.network / "run.json", "a note")
    assert note["initial"] == "models/particle/run_1"
    assert "teacher" not in card["training"]  # what is known around corrections needs none
