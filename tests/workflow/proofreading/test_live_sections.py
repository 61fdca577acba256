"""The sections after edits equal those of the edited volume, to the last bit."""

import pytest
from tests.workflow.proofreading.specimens import SHAPE, arrays
from tests.workflow.proofreading.test_live_table import EDITS, check_equal

from napari_slagseg import io
from napari_slagseg.data import SlagsegError
from napari_slagseg.workflow.configs import MeasureConfig
from napari_slagseg.workflow.measure import STEP as MEASURE
from napari_slagseg.workflow.measured_sections import SectionPlanes, measure_sections
from napari_slagseg.workflow.proofreading import LiveSections, Proofreader
from napari_slagseg.workflow.step import run_step

WAYS = {
    "slices": MeasureConfig(sections=7, erosion_voxels=1, grains=True),
    "slices along x": MeasureConfig(sections=50, section_axis=2),
    "parallel": MeasureConfig(
        sections=5, section_directions="normal", section_normal=(1.0, 1.0, 0.0)
    ),
    "random": MeasureConfig(sections=9, section_directions="random", erosion_voxels=1),
}


@pytest.fixture(params=WAYS)
def settings(request):
    return WAYS[request.param]


@pytest.fixture
def measured(project, settings):
    """The sections on disk, as 'measure' leaves them."""
    run_step(project, MEASURE, settings)
    return lambda: io.read_particle_table(project.tables / "sections.csv")


def fresh(reader, like, settings):
    """What measuring the edited volume gives."""
    cut = SectionPlanes.of(reader.shape, reader.project.voxel_size_um, settings)
    return measure_sections(*arrays(reader), like.table, cut, settings.erosion_voxels)


def test_rows_after_each_edit(reader, measured, settings):
    live = LiveSections(reader, measured())
    assert not live.stale
    changed = 0
    for name, edit in EDITS.items():
        before = live.table
        outcome = edit(reader)
        check_equal(live.follow(outcome), fresh(reader, before, settings))
        changed += not live.table.frame.equals(before.frame)
        reader.undo()
        check_equal(live.catch_up(), fresh(reader, before, settings))
        assert not live.stale, name
    assert changed > len(EDITS) / 2


def test_only_planes_through_the_edit_are_cut_again(reader, measured, settings):
    live = LiveSections(reader, measured())
    reader.delete([5])
    cut = SectionPlanes.of(reader.shape, reader.project.voxel_size_um, settings)
    box = (slice(18, 22), slice(20, 24), slice(4, 8))
    assert live.waiting == set(cut.through(box))
    if settings.section_directions == "axis":
        along = box[settings.section_axis]
        assert live.waiting == {n for n in cut.numbers if along.start <= n < along.stop}
    # planes that it is said they do not meet the box cut nothing of it
    apart = set(cut.numbers) - live.waiting
    whole = fresh(Proofreader(reader.project), live.table, settings).frame
    assert apart
    assert not (live.table.frame["section"].isin(apart) & (live.table.frame["label"] == 5)).any()
    assert len(live.catch_up().frame) == len(whole)


def test_saved_and_opened_again(project, reader, measured, settings):
    live = LiveSections(reader, measured())
    live.follow(reader.split(1, [(7, 7, 8), (7, 7, 17)]))
    live.save()
    check_equal(measured(), live.table)
    reader.delete([2])
    if live.stale:
        with pytest.raises(SlagsegError, match="sections whose rows are not described"):
            live.save()
    live.close()
    # an edit of before is undone, and there are others that nobody followed
    reader.undo()
    reader.undo()
    reader.delete([5])
    again = LiveSections(Proofreader(project), measured())
    check_equal(again.catch_up(), fresh(reader, live.table, settings))


def test_sections_of_other_planes_are_refused(project, reader, measured, settings):
    table = measured()
    other = settings.model_copy(update={"sections": 3})
    with pytest.raises(SlagsegError, match=r"last set to\. Run 'measure' again"):
        LiveSections(reader, table, other)
    assert reader.shape == SHAPE
