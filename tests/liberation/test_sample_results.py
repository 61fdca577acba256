"""Results of a sample of five particles, worked out by hand; and what must always hold."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from napari_slagseg.data import SlagsegError
from napari_slagseg.liberation import (
    SampleFilter,
    StatisticSettings,
    sample_of,
    sample_results,
)
from napari_slagseg.liberation.figures import draw_figure

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
    # by its formula a phase has none of an element: no sample can tell otherwise
    without = carried[carried["value"] == 0]
    assert len(without)
    assert (without[["low", "high"]] == 0).all(axis=None)


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
        pd.testing.assert_frame_equal(frame, plain[name])


def test_locking_by_hand(by_hand):
    found = sample_results(sample_of(by_hand()), settings=FEW).frames()
    frame = found["locking"]
    # 100 of the target alone, 50 with B, 50 with B and C
    assert frame["state"].tolist() == ["liberated", "binary", "binary", "ternary+"]
    assert frame["partner"].tolist() == ["", "B", "C", ""]
    assert frame["value"].tolist() == [0.5, 0.25, 0, 0.25]
    assert frame["n_particles"].tolist() == [1, 1, 0, 1]
    assert found["locking_partners"]["value"].tolist() == [0.5, 0.25]
    # specks can be passed over: B and C are above 0.3 in 2 and 3
    chosen = StatisticSettings(resamples=0, presence_minimum=0.3)
    frame = sample_results(sample_of(by_hand()), settings=chosen).frames()["locking"]
    assert frame["value"].tolist() == [0.5, 0.25, 0.25, 0]


def test_association_by_hand(by_hand):
    frame = sample_results(sample_of(by_hand()), settings=FEW).frames()["association"]
    target = frame[frame["is_target"]].set_index("partner")["value"]
    # outside 90 + 20, B 30 + 40, C 20
    assert target.to_dict() == pytest.approx({"B": 70 / 200, "C": 20 / 200, "outside": 110 / 200})
    of_b = frame[frame["phase"] == "B"].set_index("partner")["value"]
    # outside 40 + 50 + 60, A 30 + 40
    assert of_b.to_dict() == pytest.approx({"A": 70 / 220, "C": 0, "outside": 150 / 220})
    assert frame.groupby("phase")["value"].sum().tolist() == pytest.approx([1, 1, 1])


def test_a_group_has_no_boundary_inside_itself(by_hand):
    sample = sample_of(by_hand(), target=("A", "C"))
    assert sample.target_name == "A + C"
    found = sample_results(sample, settings=FEW).frames()
    frame = found["association"]
    target = frame[frame["is_target"]].set_index("partner")["value"]
    # A: outside 110, B 70; C: outside 80
    assert target.to_dict() == pytest.approx({"B": 70 / 260, "outside": 190 / 260})
    # A's own row is told as well, with C as a partner
    own = frame[(frame["phase"] == "A")].set_index("partner")["value"]
    assert own["C"] == pytest.approx(0.1)
    # 100 and nothing else, 50 and 150 with B
    assert found["locking"]["value"].tolist() == pytest.approx([1 / 3, 2 / 3, 0])


def test_percentiles_by_hand(by_hand):
    frame = sample_results(sample_of(by_hand()), settings=FEW).frames()["size_percentiles"]

    def of(basis):
        return values(frame, basis=basis)

    # diameters 15, 20, 40, 45 hold 1, 1, 1, 1; 50, 100, 100, 200; masses 200, 200, 300, 600
    assert frame["percentile"].tolist()[:4] == ["D10", "D50", "P80", "D90"]
    assert of("number") == [15, 20, 45, 45]
    assert of("volume") == [15, 40, 45, 45]
    assert of("mass") == [15, 40, 45, 45]


def test_size_distributions_by_hand(by_hand):
    found = sample_results(sample_of(by_hand()), settings=FEW).frames()["size_distribution"]
    frame = found[found["basis"] == "volume"]
    assert frame["upper_um"].tolist() == [20, 25, 32, 40, 50]
    assert frame["value"].tolist() == pytest.approx([150 / 450, 0, 0, 100 / 450, 200 / 450])
    assert frame["passing"].tolist() == pytest.approx([1 / 3, 1 / 3, 1 / 3, 5 / 9, 1])
    assert values(found, basis="number") == [0.5, 0, 0, 0.25, 0.25]
    assert values(found, basis="mass") == pytest.approx([4 / 13, 0, 0, 3 / 13, 6 / 13])


def test_grains_by_hand(by_hand):
    table = by_hand()
    rows = [(2, 1, 1, 30.0, 30.0), (2, 2, 1, 20.0, 20.0), (3, 1, 1, 50.0, 60.0), (5, 1, 1, 40, 90)]
    columns = ["label", "grain", "phase_id", "volume_um3", "equivalent_diameter_um"]
    grains = pd.DataFrame(rows, columns=columns)
    sample = sample_of(replace(table, grains=grains))
    assert len(sample.table.grains) == 3
    found = sample_results(sample, settings=FEW).frames()
    frame = found["size_percentiles"]
    assert values(frame, of="grains", phase="A", basis="number") == [20, 30, 60, 60]
    assert values(frame, of="grains", phase="A", basis="volume") == [20, 30, 60, 60]
    frame = found["grain_size_distribution"]
    assert values(frame, basis="number") == pytest.approx([1 / 3, 0, 1 / 3, 0, 0, 1 / 3])
    assert values(frame, basis="volume") == pytest.approx([0.2, 0, 0.3, 0, 0, 0.5])


def test_grade_and_recovery_by_hand(by_hand):
    chosen = StatisticSettings(resamples=50, grade_steps=8)
    found = sample_results(sample_of(by_hand()), settings=chosen).frames()["grade_recovery"]
    assert set(found["basis"]) == {"mass"}
    frame = found.set_index("recovery")
    # target 200, 100, 100 of masses 200, 300, 600; 200 more without target
    assert frame.loc[0.5, "value"] == pytest.approx(1)
    assert frame.loc[0.75, "value"] == pytest.approx(300 / 500)
    assert frame.loc[0.875, "value"] == pytest.approx(350 / 800)
    assert frame.loc[1.0, "value"] == pytest.approx(400 / 1100)
    assert frame.loc[0.75, "yield"] == pytest.approx(500 / 1300)
    assert frame.loc[1.0, "yield"] == pytest.approx(1100 / 1300)


def test_density_classes_by_hand(by_hand):
    chosen = StatisticSettings(resamples=50, density_edges=(2, 2.5, 3.5, 4.5))
    frame = sample_results(sample_of(by_hand()), settings=chosen).frames()["density_classes"]
    # densities 2, 3, 3, 4; masses 200, 300, 600, 200; target 200, 100, 100, 0
    assert values(frame, quantity="yield") == pytest.approx([200 / 1300, 900 / 1300, 200 / 1300])
    assert values(frame, quantity="target recovery") == pytest.approx([0.5, 0.5, 0])
    assert values(frame, quantity="target grade") == pytest.approx([1, 200 / 900, 0])
    sunk = frame[frame["quantity"] == "yield"]["sink"].tolist()
    assert sunk == pytest.approx([1, 1100 / 1300, 200 / 1300])
    # every particle has a class when edges are too narrow, or none are given
    for edges in ((2.5, 3.5), ()):
        chosen = StatisticSettings(resamples=0, density_edges=edges)
        frame = sample_results(sample_of(by_hand()), settings=chosen).frames()["density_classes"]
        assert sum(values(frame, quantity="yield")) == pytest.approx(1)


def test_the_summary_by_hand(by_hand):
    found = sample_results(sample_of(by_hand()), settings=FEW).frames()
    summary = found["summary"].set_index("quantity")["value"]
    assert summary["particles"] == 4
    assert summary["with target"] == 3
    assert summary["effective number with target"] == pytest.approx(200**2 / 15000)
    assert summary["volume"] == 450
    assert summary["mean volume liberation"] == pytest.approx(137.5 / 200)
    assert summary["mean surface liberation"] == pytest.approx((100 + 12.5) / 200)
    assert summary["target liberated by composition"] == pytest.approx(0.5)
    assert summary["target share by mass"] == pytest.approx(400 / 1300)
    border = found["border_handling"].set_index(["border", "quantity"])["value"]
    assert border["exclude", "volume"] == 450
    assert border["weighted", "volume"] == 700
    assert border["include", "volume"] == 850
    assert border["weighted", "mean volume liberation"] == pytest.approx(162.5 / 275)


def test_every_plot_draws_and_names_its_table(by_chance, by_hand):
    elements = {"A": {"Fe": 0.5, "O": 0.5}, "B": {"Fe": 0.25, "Si": 0.75}, "C": {"O": 1.0}}
    for table in (by_chance(60), by_hand(), by_hand([])):
        sample = sample_of(table)
        results = sample_results(sample, settings=FEW, element_fractions=elements)
        plots = results.plots()
        assert list(plots) == ["liberation", "size", "association", "grade-recovery"]
        for name, draw in (item for of_tab in plots.values() for item in of_tab.items()):
            figure = draw_figure(draw)
            assert figure.axes[0].has_data() or figure.axes[0].texts, name
            assert results.frame_of_plot[name] in results.frames()


def test_border_weights_give_back_what_the_border_takes(by_hand):
    # half of all balls are 10 wide, half 40, anywhere in a volume of 100^3: of the large ones,
    # (60 / 100)^3 lie wholly inside, of the small ones (90 / 100)^3
    rng = np.random.default_rng(11)
    n = 8000
    width = rng.choice([10.0, 40.0], n)
    middle = rng.random((n, 3)) * 100
    cut = ((middle < width[:, None] / 2) | (middle > 100 - width[:, None] / 2)).any(axis=1)
    weight = np.where(cut, 0.0, (100 / (100 - width)) ** 3)
    rows = [
        (k, w**3, 0.5, 0.5, 0.0, 0.5, w, bool(c), b)
        for k, (w, c, b) in enumerate(zip(width, cut, weight))
    ]
    table = by_hand(rows)
    found = {}
    for border in ("exclude", "weighted"):
        sample = sample_of(table, filters=SampleFilter(border=border))
        frame = sample_results(sample, settings=FEW).frames()["size_distribution"]
        frame = frame[frame["basis"] == "number"]
        found[border] = frame[frame["upper_um"] == 40].iloc[0]
    wanted = 0.6**3 / (0.6**3 + 0.9**3)
    assert found["exclude"]["low"] < wanted < found["exclude"]["high"]
    assert found["weighted"]["low"] < 0.5 < found["weighted"]["high"]
    assert found["weighted"]["high"] - found["weighted"]["low"] < 0.1
