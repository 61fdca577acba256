import numpy as np
import pytest

from napari_slagseg.data import Phase, PhaseTable, SlagsegError, phase_table_of


def slag(target="LiAlO2"):
    return PhaseTable(
        (
            Phase(0, "background", "#000000"),
            Phase(1, "LiAlO2", "#d55e00"),
            Phase(2, "eucryptite", "#56b4e9"),
            Phase(3, "gehlenite", "#009e73", group="other"),
            Phase(4, "spinel", "#cc79a7", group="other"),
        ),
        target,
    )


def test_groups_are_numbered_by_their_first_phase():
    grouped, class_of = slag().grouped()
    assert grouped.names == ("background", "LiAlO2", "eucryptite", "other")
    assert class_of == {-1: -1, 0: 0, 1: 1, 2: 2, 3: 3, 4: 3}
    assert grouped.target == "LiAlO2"


def test_a_target_stays_its_own_class_even_in_a_group():
    grouped, class_of = slag("spinel").grouped()
    assert grouped.target_id == class_of[4]
    assert class_of[3] != class_of[4]


def test_a_group_named_as_the_target_gets_another_name():
    table = PhaseTable(
        (
            Phase(0, "background", "#000000"),
            Phase(1, "Li", "#d55e00", group="Li"),
            Phase(2, "b", "#56b4e9", group="Li"),
            Phase(3, "c", "#009e73", group="Li"),
        ),
        "Li",
    )
    grouped, class_of = table.grouped()
    assert grouped.names == ("background", "Li", "Li (rest)")
    assert class_of[2] == class_of[3] == 2


def test_a_phase_may_be_grouped_with_the_background():
    table = PhaseTable(
        (
            Phase(0, "background", "#000000"),
            Phase(1, "resin", "#111111", group="background"),
            Phase(2, "ore", "#56b4e9"),
        )
    )
    grouped, class_of = table.grouped()
    assert class_of[1] == 0
    assert grouped.names == ("background", "ore")


def test_lookup_maps_rasters_that_hold_unknown_pixels():
    table = slag()
    _, class_of = table.grouped()
    raster = np.array([[-1, 0, 1], [2, 3, 4]])
    assert table.lookup(class_of)[raster].tolist() == [[-1, 0, 1], [2, 3, 3]]


@pytest.mark.parametrize(
    ("phases", "words"),
    [
        ((Phase(1, "a", "#000000"),), "no background"),
        ((Phase(0, "b", "#000000"), Phase(0, "a", "#000000")), "stands twice"),
        ((Phase(0, "b", "#000000"), Phase(1, "b", "#000000")), "stands twice"),
        ((Phase(0, "b", "#000000"), Phase(1, "a", "red")), "'red'"),
        ((Phase(0, "b", "#000000"), Phase(1, "a", "#000000", density_g_cm3=-1)), "density"),
    ],
)
def test_bad_tables_are_refused(phases, words):
    with pytest.raises(SlagsegError, match=words):
        PhaseTable(phases)


def test_a_target_that_is_not_there_is_named_with_the_way_out():
    with pytest.raises(SlagsegError, match=r"'quartz' is not in the phase table.*eucryptite"):
        slag("quartz")
    with pytest.raises(SlagsegError, match="background"):
        slag("background")
    with pytest.raises(SlagsegError, match="No target phase is set"):
        _ = phase_table_of(["background", "a"], ["#000000", "#ffffff"]).target_id
