"""What is told before the search begins, what goes into it, and what a run must not change."""

from dataclasses import replace

import numpy as np
import pytest

from napari_slagseg import io, workflow
from napari_slagseg.data import (
    Cutout,
    Landmarks,
    MineralMap,
    PlacedMap,
    PlacementSurface,
    SlagsegError,
    Volume,
    phase_table_of,
)
from napari_slagseg.project import Project
from napari_slagseg.registration import RegistrationSettings, place_map, prepare_ct
from napari_slagseg.registration.steering import Nudge, nudge_cutout
from napari_slagseg.workflow import STEPS, RegisterConfig, make_config, run_step
from napari_slagseg.workflow.placing import check_fit, correlator_for, settings_for
from napari_slagseg.workflow.plain import place_files
from napari_slagseg.workflow.register import take_landmarks

TABLE = phase_table_of(["background", "ore"], ["#000000", "#d55e00"])
RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 200, (12, 40, 44)).astype(np.uint8)
SPACING = (3.0, 2.0, 2.2)
ORE = RNG.integers(0, 2, (90, 60)).astype(np.int16)


@pytest.fixture
def no_search(monkeypatch):
    """The CT must not even be prepared."""

    def never(*arguments, **values):
        raise AssertionError("the CT was prepared for a map that cannot be placed")

    monkeypatch.setattr("napari_slagseg.registration.prepare_ct", never)
    monkeypatch.setattr("napari_slagseg.registration.place_map", never)
    monkeypatch.setattr("napari_slagseg.registration.place_maps", never)


@pytest.fixture
def files(tmp_path):
    """CT of 80 x 96.8 um in plane and a map of 90 x 60 pixels."""
    io.write_volume(tmp_path / "ct.tif", GREY, SPACING)
    io.write_legend(TABLE, tmp_path / "legend.csv")
    io.write_false_colour(MineralMap(ORE, 1.0, TABLE, "cut"), tmp_path / "cut.png")
    return tmp_path


@pytest.mark.usefixtures("no_search")
def test_a_map_larger_than_the_ct_is_refused_before_the_work(files):
    project = Project.create(
        files / "p", ct=files / "ct.tif", maps=[files / "cut.png"], legend=files / "legend.csv",
        pixel_size_um=1.5, target="ore",
    )  # fmt: skip
    with pytest.raises(SlagsegError, match="cut is larger than the CT: it measures 135 x 90 um"):
        run_step(project, STEPS["register"])
    with pytest.raises(SlagsegError, match="cut is larger than the CT"):
        place_files(
            files / "ct.tif", files / "cut.png", legend=files / "legend.csv", pixel_size_um=1.5,
            out=files / "out.json",
        )  # fmt: skip
    assert not (files / "out.json").exists()
    assert workflow.states(project)["register"] == "missing"


@pytest.mark.parametrize("pixel_size_um", [1.0, 1.3, 1.35, 1.5, 4.0])
def test_the_early_check_says_what_the_late_one_says(pixel_size_um):
    mineral_map = MineralMap(ORE, pixel_size_um, TABLE, "cut")
    prepared = prepare_ct(Volume(GREY, SPACING, "ct"))

    def words(check):
        try:
            check()
        except SlagsegError as error:
            return str(error)
        return ""

    early = words(lambda: check_fit(GREY.shape, SPACING, mineral_map))
    # 90 pixels against 96.8 um and a quarter
    assert bool(early) == (pixel_size_um > 96.8 * 1.25 / 90)
    if early:
        assert early == words(lambda: place_map(prepared, mineral_map))


# -- with an engine that only takes notes ----------------------------------------


def placement(name, height, states=("accepted",) * 4, **values):
    """A level map, and four cutouts on it."""
    edges = np.linspace(0, 59, 5), np.linspace(0, 39, 5)
    rows, columns = np.meshgrid(*edges, indexing="ij")
    zyx = np.stack([np.full(rows.shape, height), 2 + rows / 2, 3 + columns / 2.2], axis=-1)
    cutouts = tuple(
        Cutout(
            r, c, 30, 20, (height, 2 + (r + 14.5) / 2, 3 + (c + 9.5) / 2.2), (0, 0.5, 0),
            (0, 0, 1 / 2.2), 0.7, state,
        )
        for (r, c), state in zip([(0, 0), (0, 20), (30, 0), (30, 20)], states, strict=True)
    )  # fmt: skip
    return PlacedMap(
        name, (60, 40), 1.0, GREY.shape, SPACING, True, 0.7,
        surface=PlacementSurface(*edges, zyx), cutouts=cutouts, **values,
    )  # fmt: skip


@pytest.fixture
def engine(monkeypatch):
    """Calls of the engine; it puts every map at the height that stands in `engine.height`."""

    class Engine:
        height = 4.0
        placed = True

        def __init__(self):
            self.calls = []

        def place(
            self, ct, mineral_map, *, settings=None, correlator, seed, progress, cancel, **hints
        ):
            known = {k: v for k, v in hints.items() if v is not None and v != ()}
            self.calls.append((mineral_map.name, {"seed": seed, **known}))
            self.settings = settings
            found = placement(mineral_map.name, self.height)
            return found if self.placed else replace(found, placed=False, reason="nothing fits")

        def place_all(self, prepared, maps, *, hints, known, order, on_placed, **common):
            self.known, self.order = known, order
            for source in maps:
                on_placed(self.place(prepared, source, **vars(hints[source.name]), **common))

    made = Engine()
    monkeypatch.setattr("napari_slagseg.registration.place_map", made.place)
    monkeypatch.setattr("napari_slagseg.registration.place_maps", made.place_all)
    monkeypatch.setattr(
        "napari_slagseg.registration.prepare_ct",
        lambda volume, settings=None, cancel=None: ("prepared", settings),
    )
    return made


@pytest.fixture
def project(files):
    maps = []
    for name in ("one", "two"):
        phases = RNG.integers(0, 2, (60, 40)).astype(np.int16)
        io.write_false_colour(MineralMap(phases, 1.0, TABLE, name), files / f"{name}.png")
        maps.append(files / f"{name}.png")
    return Project.create(
        files / "p", ct=files / "ct.tif", maps=maps, legend=files / "legend.csv",
        pixel_size_um=1.0, target="ore",
    )  # fmt: skip


PAIRS = Landmarks(
    np.array([[5, 5], [50, 10], [20, 35.0]]), np.array([[4, 5, 6], [4, 28, 8], [5, 12, 20.0]])
)


def register(project, **values):
    return run_step(project, STEPS["register"], RegisterConfig(**values))


def test_what_is_known_reaches_the_engine(project, engine):
    register(
        project, height_low=2, height_high=6, angle=12, mirror="yes", field_rows=30,
        field_columns=20, seed=5, maps=("one",),
    )  # fmt: skip
    assert engine.calls == [
        ("one", {
            "height_window": (2, 6), "angle_deg": 12, "mirror": "yes", "field_size": (30, 20),
            "seed": 5,
        })
    ]  # fmt: skip
    engine.calls.clear()
    register(project)
    assert engine.calls == [
        ("one", {"mirror": "auto", "seed": 0}),
        ("two", {"mirror": "auto", "seed": 0}),
    ]


def test_the_search_goes_where_it_was_sent(monkeypatch):
    import torch

    assert correlator_for(RegisterConfig(device="cpu")) is None
    monkeypatch.setattr("napari_slagseg.workflow.placing._gpu_driver", lambda: False)
    assert correlator_for(RegisterConfig()) is None
    monkeypatch.setattr("napari_slagseg.workflow.placing._gpu_driver", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    made = correlator_for(RegisterConfig())
    assert made.func.__name__ == "TorchSliceCorrelator"
    assert made.keywords == {"device": "cuda"}
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert correlator_for(RegisterConfig()) is None
    with pytest.raises(SlagsegError, match="No CUDA GPU"):
        correlator_for(RegisterConfig(device="cuda"))


def test_the_size_tolerance_loosens_the_fit_and_the_check(project):
    plain, loose = settings_for(RegisterConfig()), settings_for(RegisterConfig(size_tolerance=0.4))
    assert plain == RegistrationSettings()
    assert loose.pixel_size_tolerance == 0.4
    assert loose.size_tolerance == 0.4
    assert settings_for(RegisterConfig(size_tolerance=0.05)).size_tolerance == plain.size_tolerance
    too_large = MineralMap(ORE, 1.4, TABLE, "cut")
    with pytest.raises(SlagsegError, match="larger than the CT"):
        check_fit(GREY.shape, SPACING, too_large)
    check_fit(GREY.shape, SPACING, too_large, RegisterConfig(size_tolerance=0.4))


def test_stored_landmarks_are_used_and_a_change_makes_the_step_stale(project, engine):
    register(project)
    engine.calls.clear()
    register(project)
    assert engine.calls == []  # nothing has changed
    with project.writing():
        project.alignment("two").save_landmarks(PAIRS, "three landmarks")
    assert workflow.states(project)["register"] == "stale"
    register(project)
    (name, hints), = engine.calls  # fmt: skip
    assert name == "two"
    assert engine.order == ("one", "two")
    assert list(engine.known) == ["one"]  # it helps to find the other
    assert np.array_equal(hints["landmarks"].voxels, PAIRS.voxels)
    assert workflow.states(project)["register"] == "done"
    with project.writing():
        assert project.alignment("two").undo() == "placed automatically"
        assert project.alignment("two").undo() == "three landmarks"
    assert workflow.states(project)["register"] == "stale"


def test_landmarks_that_are_still_being_set_do_not_stop_a_run(project, engine):
    two = Landmarks(PAIRS.pixels[:2], PAIRS.voxels[:2])
    with project.writing():
        project.alignment("one").save_landmarks(two, "second landmark")
    result = register(project, maps=("one",))
    assert "landmarks" not in engine.calls[0][1]
    assert result.warnings == ("one was placed without its 2 landmarks: at least three are needed",)


def test_locked_cutouts_survive_every_run(project, engine):
    with project.writing():
        project.save_placed(placement("one", 4.0))
        nudged = nudge_cutout(project.placed_map("one"), 2, Nudge(up=2))
        project.alignment("one").record(nudged, None, "nudged cutout 2")
        project.alignment("two").record(None, None, "nothing")
    stored = project.placed_map("one").cutouts
    before = stored[2]
    assert before.state == "locked"
    assert before.centre_zyx[0] == 6
    engine.height = 5.0
    register(project)
    ((_, hints), (_, others)) = engine.calls
    assert [c.centre_zyx for c in hints["locked"]] == [before.centre_zyx]
    assert "locked" not in others
    after = project.placed_map("one")
    assert after.cutouts[2] == replace(before, residual_voxels=after.cutouts[2].residual_voxels)
    assert [c.centre_zyx[0] for c in after.cutouts] == [5, 5, 6, 5]
    # and the surface is held to it
    assert after.surface.at(44.5, 9.5)[0] == pytest.approx(6, abs=0.02)
    engine.placed = False
    result = register(project, again=True)
    assert project.placed_map("one").cutouts[2].centre_zyx == before.centre_zyx
    assert "one was refused: nothing fits" in result.warnings
    with project.writing():
        steps = project.alignment("one")
        assert steps.steps[1:] == [
            "nudged cutout 2",
            "placed automatically",
            "placed automatically",
        ]
        steps.undo()
        steps.undo()
    assert project.placed_map("one").cutouts == stored


def test_a_fit_from_here_begins_where_the_map_lies(project, engine):
    with pytest.raises(SlagsegError, match="Map one lies nowhere yet"):
        register(project, start="here")
    with project.writing():
        project.save_placed(placement("two", 7.0))
        project.alignment("two").save_landmarks(PAIRS, "three landmarks")
    with pytest.raises(SlagsegError, match="Map one lies nowhere yet"):
        register(project, start="here", maps=("one", "two"))
    result = register(project, start="here")
    (name, hints), = engine.calls  # fmt: skip
    assert name == "two"
    assert hints["start"].surface.zyx[0, 0, 0] == 7
    assert "landmarks" not in hints  # they restrict a search, and there is none
    assert project.alignment("two").steps[-1] == "fitted from here"
    assert result.summary["maps"]["two"]["state"] == "placed"
    # asked for once: whoever runs the step next means a search, and two is kept
    assert project.record("register").config["start"] == "search"
    engine.calls.clear()
    run_step(project, STEPS["register"])
    assert [name for name, _ in engine.calls] == ["one"]


def test_single_cutouts_are_registered_again_and_nothing_else_changes(project, engine):
    first = placement(
        "one", 4.0, ("accepted", "locked", "rejected", "accepted"), details={"by_hand": "nudged"}
    )
    with project.writing():
        project.save_placed(first)
    engine.height = 4.5
    register(project, start="here", cutouts=(1, 3), maps=("one",))
    (_, hints), = engine.calls  # fmt: skip
    assert [(c.row, c.column, c.state) for c in hints["locked"]] == [(0, 0, "locked")]
    after = project.placed_map("one")
    assert [c.centre_zyx[0] for c in after.cutouts] == [4, 4.5, 4, 4.5]
    assert [c.state for c in after.cutouts] == ["accepted", "locked", "rejected", "accepted"]
    assert after.details["by_hand"] == "nudged"
    assert project.alignment("one").steps[-1] == "registered cutouts 1, 3 again"
    assert project.record("register").config["cutouts"] == []
    with pytest.raises(
        SlagsegError, match="Map one has no cutout 4, 9: it has 4, numbered from 0 to 3"
    ):
        register(project, start="here", cutouts=(4, 9), maps=("one",))
    with pytest.raises(SlagsegError, match="Choose one of the maps one, two"):
        register(project, start="here", cutouts=(1,), maps=("one", "two"))
    assert len(engine.calls) == 1


def test_a_placement_of_another_map_is_no_start(project, engine):
    other = replace(placement("one", 4.0), map_shape=(50, 40))
    with project.writing():
        project.save_placed(other)
    with pytest.raises(SlagsegError, match=r"50 x 40 pixels .* map one has 60 x 40 pixels"):
        register(project, start="here")
    assert engine.calls == []


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"height_low": 5}, "Give both ends"),
        ({"height_low": 5, "height_high": 5}, "height window 5 to 5 is empty"),
        ({"height_low": float("nan"), "height_high": 5}, "is empty"),
        ({"field_rows": 5}, "both the rows and the columns"),
        ({"cutouts": (1,)}, "only from here"),
        ({"angle": float("inf")}, "angle is inf"),
    ],
)
def test_settings_that_contradict_each_other(values, words):
    with pytest.raises(SlagsegError, match=words):
        make_config(STEPS["register"], values)


def test_a_height_window_outside_the_ct_is_told_before_the_work(project, engine):
    with pytest.raises(
        SlagsegError, match="40 to 50 lies outside the CT, whose slices are 0 to 11"
    ):
        register(project, height_low=40, height_high=50)
    assert engine.calls == []


def write(path, *lines):
    path.write_text("map,row,column,z,y,x\n" + "\n".join(lines) + "\n")
    return path


ONE = ("one,5,5,4,5,6", "one,50,10,4,28,8", "one,20,35,5,12,20")


def test_landmarks_of_a_file_are_kept_with_the_project(project, files):
    path = write(files / "pairs.csv", *ONE)
    with project.writing():
        take_landmarks(project, path)
    assert np.array_equal(project.landmarks("one").pixels, PAIRS.pixels)
    assert project.landmarks("two") is None
    assert project.alignment("one").steps == ["landmarks from pairs.csv"]
    bare = write(files / "bare.csv", *(line[4:] for line in ONE))
    bare.write_text(bare.read_text().replace("map,", ""))
    with project.writing():
        take_landmarks(project, bare, ("two",))
    assert np.array_equal(project.landmarks("two").voxels, PAIRS.voxels)
    with project.writing(), pytest.raises(SlagsegError, match="does not say which map"):
        take_landmarks(project, bare)


@pytest.mark.parametrize(
    ("lines", "maps", "words"),
    [
        ((), (), "holds no landmarks"),
        (("three,5,5,4,5,6",), (), "no map 'three'. It has: one, two"),
        (ONE, ("two",), "landmarks of one, but none of two"),
        (ONE[:2], (), "at least three pairs; map one has 2"),
        (("one,1,1,1,1,1", "one,2,2,4,5,6", "one,3,3,7,1,2"), (), "in one line in the map"),
        (("one,1,1,1,1,1", "one,60,2,4,5,6", "one,3,9,7,1,2"), (), r"Landmark 2 .*\(60, 2\)"),
        (("one,1,1,12,1,1", "one,6,2,4,5,6", "one,3,9,7,1,2"), (), r"Landmark 1 .*12 x 40 x 44"),
        ((*ONE, "two,1,1,1,1,1"), (), "map two has 1"),
    ],
)
def test_unusable_landmarks_leave_the_project_as_it_was(project, files, lines, maps, words):
    path = write(files / "pairs.csv", *lines)
    with project.writing(), pytest.raises(SlagsegError, match=words):
        take_landmarks(project, path, maps)
    assert project.landmarks("one") is None
    assert project.alignment("one").steps == []


def test_plain_files_and_project_ask_the_engine_alike(project, files, engine):
    write(files / "pairs.csv", *ONE)
    config = RegisterConfig(
        height_low=2, height_high=6, mirror="no", seed=3, field_rows=30, field_columns=20
    )
    with project.writing():
        take_landmarks(project, files / "pairs.csv")
    run_step(project, STEPS["register"], config.model_copy(update={"maps": ("one",)}))
    arguments = {
        "legend": files / "legend.csv", "pixel_size_um": 1.0, "out": files / "out.json",
    }  # fmt: skip
    place_files(
        files / "ct.tif", files / "one.png", **arguments, config=config,
        landmarks=files / "pairs.csv",
    )  # fmt: skip
    (_, ours), (_, theirs) = engine.calls
    assert engine.settings == RegistrationSettings()
    assert np.array_equal(ours.pop("landmarks").pixels, theirs.pop("landmarks").pixels)
    assert ours == theirs
    assert io.read_placed_map(files / "out.json").cutouts == project.placed_map("one").cutouts
    with pytest.raises(SlagsegError, match=r"gone\.json does not exist, so there is no placement"):
        place_files(
            files / "ct.tif", files / "one.png", **{**arguments, "out": files / "gone.json"},
            config=RegisterConfig(start="here"),
        )  # fmt: skip
    engine.height = 6.0
    place_files(
        files / "ct.tif", files / "one.png", **arguments, config=RegisterConfig(start="here")
    )
    assert engine.calls[-1][1]["start"].cutouts[0].centre_zyx[0] == 4.0
    with pytest.raises(SlagsegError, match="landmarks of one, but none of two"):
        place_files(files / "ct.tif", files / "two.png", **arguments, landmarks=files / "pairs.csv")
