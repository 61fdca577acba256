"""Results of a sample of five particles, worked out by hand; and what must always hold."""

import numpy as np
import pytest

from napari_slagseg.data import SlagsegError
from napari_slagseg.liberation import (
    SampleFilter,
    StatisticSettings,
    sample_of,
    sample_results,
)

FEW = StatisticSettings(resamples=60)


def values(frame, **where):
    for name, wanted in where.items():
        frame = frame[frame[name] == wanted]
    return frame["value"].tolist()


def test_filters_by_hand(by_hand):
    table = by_hand()
    kept = sample_of(table)
    assert kept.table.frame["label"].tolist() == [1, 2, 3, 4]
    assert set(kept.table.contacts["label"]) == {1, 2, 3, 4}
    assert kept.weights.tolist() == [1, 1, 1, 1]
    weighted = sample_of(table, filters=SampleFilter(border="weighted"))
    assert weighted.weights.tolist() == [1, 1.5, 2, 1]
    assert len(sample_of(table, filters=SampleFilter(border="include"))) == 5

    def labels(**chosen):
        return sample_of(table, filters=SampleFilter(**chosen)).table.frame["label"].tolist()

    assert labels(min_size_um=20, max_size_um=40) == [1, 2]
    # 4 holds no target, so nothing of it is locked
    assert labels(locked="without") == [1, 2, 4]
    assert labels(locked="only") == [3]


def test_the_share_of_the_target_at_the_border_is_told(by_hand):
    # target 100 + 50 + 50, and 40 in the particle at the border: 40 / 240
    (said,) = sample_of(by_hand()).warnings
    assert "17% of the target volume is in particles that touch the border" in said


def test_modal_mineralogy_by_hand(by_hand):
    frame = sample_results(sample_of(by_hand()), settings=FEW).frames()["modal"]
    # volumes: A 100 + 50 + 50, B 50 + 50 + 50, C 100
    assert values(frame, basis="volume") == pytest.approx([200 / 450, 150 / 450, 100 / 450])
    # times 2, 4, 3
    assert values(frame, basis="mass") == pytest.approx([400 / 1300, 600 / 1300, 300 / 1300])
    weighted = sample_of(by_hand(), filters=SampleFilter(border="weighted"))
    frame = sample_results(weighted, settings=FEW).frames()["modal"]
    # A 100 + 75 + 100, B 75 + 100 + 50, C 200
    assert values(frame, basis="volume") == pytest.approx([275 / 700, 225 / 700, 200 / 700])


def test_assay_by_hand(by_hand):
    elements = {"A": {"Fe": 0.5, "O": 0.5}, "B": {"Fe": 0.25, "Si": 0.75}, "C": {"O": 1.0}}
    found = sample_results(sample_of(by_hand()), settings=FEW, element_fractions=elements).frames()
    # masses 400, 600, 300: Fe 200 + 150, O 200 + 300, Si 450
    assay = found["assay"]
    assert assay["element"].tolist() == ["Fe", "O", "Si"]
    assert assay["value"].tolist() == pytest.approx([350 / 1300, 500 / 1300, 450 / 1300])
    carried = found["element_distribution"]
    assert values(carried, element="Fe") == pytest.approx([200 / 350, 150 / 350, 0])
    assert values(carried, element="O") == pytest.approx([0.4, 0, 0.6])
    assert carried.groupby("element")["value"].sum().tolist() == pytest.approx([1, 1, 1])


def test_curves_by_hand(by_hand):
    frame = sample_results(sample_of(by_hand()), settings=FEW).frames()["liberation_curves"]
    by_volume = frame[frame["by"] == "volume_liberation"].set_index("threshold")["value"]
    # target 100 at 1, 50 at 0.5, 50 at 0.25
    assert by_volume[0.0] == 1
    assert by_volume[0.25] == 1
    assert by_volume[0.26] == 0.75
    assert by_volume[0.5] == 0.75
    assert by_volume[0.51] == 0.5
    assert by_volume[1.0] == 0.5
    by_surface = frame[frame["by"] == "surface_liberation"].set_index("threshold")["value"]
    assert by_surface[0.01] == 0.75
    assert by_surface[0.26] == 0.5


def test_classes_and_groups_by_hand(by_hand):
    found = sample_results(sample_of(by_hand()), settings=FEW).frames()
    frame = found["liberation_classes"]
    by_volume = frame[frame["by"] == "volume_liberation"].set_index("liberation_class")
    assert list(by_volume.index)[:3] == ["0 %", "(0-10] %", "(10-20] %"]
    assert list(by_volume.index)[-2:] == ["(90-100) %", "100 %"]
    filled = by_volume[by_volume["value"] > 0]["value"]
    assert filled.to_dict() == {"(20-30] %": 0.25, "(40-50] %": 0.25, "100 %": 0.5}
    by_surface = frame[frame["by"] == "surface_liberation"].set_index("liberation_class")
    assert by_surface.loc["0 %", "value"] == 0.25
    assert by_surface["value"].sum() == pytest.approx(1)
    groups = found["liberation_groups"]
    by_volume = groups[groups["by"] == "volume_liberation"].set_index("group")["value"]
    assert by_volume.to_dict() == {
        "locked [0-30) %": 0.25,
        "middlings [30-90) %": 0.25,
        "liberated [90-100] %": 0.5,
    }


def test_edges_can_be_chosen_and_say_what_they_hold(by_hand):
    chosen = StatisticSettings(resamples=0, class_edges=(0.25, 0.5), group_edges=(0.25, 0.5))
    found = sample_results(sample_of(by_hand()), settings=chosen).frames()
    frame = found["liberation_classes"]
    by_volume = frame[frame["by"] == "volume_liberation"]
    assert by_volume["liberation_class"].tolist() == [
        "0 %", "(0-25] %", "(25-50] %", "(50-100) %", "100 %",
    ]  # fmt: skip
    assert by_volume["value"].tolist() == [0, 0.25, 0.25, 0, 0.5]
    assert by_volume["n_particles"].tolist() == [0, 1, 1, 0, 1]
    # the lower edge belongs to a group: 0.25 is a middling, 0.5 is liberated
    assert values(found["liberation_groups"], by="volume_liberation") == [0, 0.25, 0.75]
    assert np.isnan(found["modal"]["low"]).all()
    with pytest.raises(SlagsegError, match="rise"):
        StatisticSettings(class_edges=(0.5, 0.2))


def test_size_by_liberation_by_hand(by_hand):
    chosen = StatisticSettings(resamples=50, size_edges_um=(0, 20, 40, 50))
    frame = sample_results(sample_of(by_hand()), settings=chosen).frames()["size_by_liberation"]
    by_volume = frame[frame["by"] == "volume_liberation"]
    assert by_volume["n_particles"].tolist() == [2, 1, 1]
    assert by_volume["value"].tolist() == pytest.approx([1, 0.5, 0.25])
    assert by_volume["target_share"].tolist() == pytest.approx([0.5, 0.25, 0.25])


def test_intervals_hold_the_value_and_repeat_with_the_seed(by_chance):
    sample = sample_of(by_chance(400))
    first = sample_results(sample, settings=StatisticSettings(resamples=200)).frames()
    again = sample_results(sample, settings=StatisticSettings(resamples=200)).frames()
    other = sample_results(sample, settings=StatisticSettings(resamples=200, seed=1)).frames()
    modal = first["modal"]
    assert (modal["low"] < modal["value"]).all()
    assert (modal["value"] < modal["high"]).all()
    assert modal.equals(again["modal"])
    assert not modal.equals(other["modal"])
    curve = first["liberation_curves"]
    for _, part in curve.groupby("by"):
        assert (np.diff(part["value"]) <= 0).all()
        assert (np.diff(part["low"]) <= 1e-12).all()
        assert (part["low"] <= part["value"]).all()


def test_weights_of_one_change_nothing(by_chance):
    table = by_chance(200)
    table.frame["border_weight"] = 1.0
    plain = sample_results(sample_of(table), settings=FEW).frames()
    weighted = sample_of(table, filters=SampleFilter(border="weighted"))
    for name, frame in sample_results(weighted, settings=FEW).frames().items():
        assert frame.equals(plain[name]), name
