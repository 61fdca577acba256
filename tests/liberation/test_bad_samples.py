"""Samples that lack something: NaN and a reason, never a crash or a silent zero."""

from dataclasses import replace

import numpy as np
import pytest

from napari_slagseg.data import PhaseTable, SlagsegError
from napari_slagseg.liberation import SampleFilter, StatisticSettings, sample_of, sample_results

FEW = StatisticSettings(resamples=40)


def results(table, **chosen):
    return sample_results(sample_of(table), settings=FEW, **chosen)


def test_no_particles(by_hand):
    found = results(by_hand([]))
    assert any("no particle passed the filter" in w for w in found.warnings)
    frames = found.frames()
    assert np.isnan(frames["modal"]["value"]).all()
    assert np.isnan(frames["liberation_curves"]["value"]).all()
    assert np.isnan(frames["association"]["value"]).all()
    assert np.isnan(frames["grade_recovery"]["value"]).all()
    assert frames["summary"].set_index("quantity").loc["particles", "value"] == 0
    nothing = sample_of(by_hand(), filters=SampleFilter(min_size_um=1000))
    assert len(sample_results(nothing, settings=FEW).frames()["convergence"]) == 0


def test_one_particle_has_values_but_no_intervals(by_hand):
    found = results(by_hand([(7, 100.0, 0.5, 0.5, 0.0, 0.25, 40.0, False, 1.0)]))
    assert any("one particle only" in w for w in found.warnings)
    modal = found.frames()["modal"]
    assert modal["value"].tolist()[:3] == [0.5, 0.5, 0]
    assert np.isnan(modal["low"]).all()
    assert np.isnan(modal["high"]).all()
    assert np.isnan(found.frames()["needed_particles"]["value"]).all()


def test_a_class_of_one_particle_has_no_interval(by_hand):
    chosen = StatisticSettings(resamples=200, size_edges_um=(0, 30, 42, 50))
    frame = sample_results(sample_of(by_hand()), settings=chosen).frames()["size_by_liberation"]
    second = frame[(frame["by"] == "volume_liberation")].iloc[1]
    assert second["n_particles"] == 1
    assert second["value"] == 0.5
    assert np.isnan(second["low"])


def test_the_target_is_absent(by_hand):
    barren = [(k, 100.0, 0.0, 1.0, 0.0, 0.0, 20.0 + k, False, 1.0) for k in range(5)]
    found = results(by_hand(barren))
    assert any("no particle holds the target A" in w for w in found.warnings)
    frames = found.frames()
    for name in ("liberation_curves", "liberation_classes", "locking", "grade_recovery"):
        assert np.isnan(frames[name]["value"]).all(), name
    recovery = frames["density_classes"]
    assert np.isnan(recovery[recovery["quantity"] == "target recovery"]["value"]).all()
    # that there is none of it is known, if only as far as five particles can tell
    modal = frames["modal"].set_index(["phase", "basis"])
    assert modal.loc[("A", "volume"), "value"] == 0
    assert modal.loc[("A", "volume"), "high"] == pytest.approx(1 - 0.05 ** (1 / 5))


def test_no_target_is_chosen(by_hand):
    table = by_hand()
    table = replace(table, table=PhaseTable(table.table.phases), targets=())
    found = results(table)
    assert any("no target phase is chosen" in w for w in found.warnings)
    assert np.isnan(found.frames()["liberation_curves"]["value"]).all()
    assert not np.isnan(found.frames()["modal"]["value"]).any()


def test_a_phase_without_density(by_hand):
    table = by_hand()
    phases = [replace(p, density_g_cm3=None) if p.name == "C" else p for p in table.table]
    table = replace(table, table=PhaseTable(tuple(phases), "A"))
    elements = {"A": {"Fe": 0.5}, "B": {"Fe": 0.25}, "C": {"O": 1.0}}
    found = results(table, element_fractions=elements)
    assert any("C is without density" in w for w in found.warnings)
    frames = found.frames()
    modal = frames["modal"]
    assert np.isnan(modal[modal["basis"] == "mass"]["value"]).all()
    assert np.isfinite(modal[modal["basis"] == "volume"]["value"]).all()
    assert np.isnan(frames["assay"]["value"]).all()
    assert np.isnan(frames["density_classes"]["value"]).all()
    percentiles = frames["size_percentiles"]
    assert np.isnan(percentiles[percentiles["basis"] == "mass"]["value"]).all()
    # the curve is drawn by volume, and says so
    curve = frames["grade_recovery"]
    assert set(curve["basis"]) == {"volume"}
    assert curve["value"].iat[-1] == pytest.approx(200 / 400)


def test_a_phase_without_density_that_does_not_occur_is_no_matter(by_hand):
    table = by_hand([(k, 100.0, 1.0, 0.0, 0.0, 1.0, 20.0, False, 1.0) for k in (1, 2)])
    phases = [replace(p, density_g_cm3=None) if p.name == "C" else p for p in table.table]
    found = results(replace(table, table=PhaseTable(tuple(phases), "A")))
    modal = found.frames()["modal"]
    assert modal[modal["basis"] == "mass"]["value"].tolist() == [1, 0, 0]


def test_a_phase_without_formula(by_hand):
    found = results(by_hand(), element_fractions={"A": {"Fe": 0.5}, "B": {"Fe": 0.25}})
    assert any("C is without formula" in w for w in found.warnings)
    assert np.isnan(found.frames()["assay"]["value"]).all()
    assert found.frames()["assay"]["element"].tolist() == ["Fe"]


def test_rows_of_nan_are_left_out_and_counted(by_hand):
    table = by_hand()
    clean = results(table).frames()["modal"]
    frame = table.frame.copy()
    frame.loc[len(frame)] = frame.loc[1].to_dict() | {"label": 9, "volume_um3": np.nan}
    found = results(replace(table, frame=frame.astype({"touches_border": bool})))
    assert any("1 of 6 rows are left out" in w for w in found.warnings)
    assert found.frames()["modal"].equals(clean)


def test_a_liberation_of_nan_takes_no_part_in_its_curve(by_hand):
    table = by_hand()
    frame = table.frame.copy()
    frame.loc[1, "surface_liberation"] = np.nan
    found = results(replace(table, frame=frame)).frames()["liberation_curves"]
    by_surface = found[found["by"] == "surface_liberation"].set_index("threshold")["value"]
    # of 100 and 50 of the target, the 100 are free
    assert by_surface[0.0] == 1
    assert by_surface[1.0] == pytest.approx(2 / 3)


def test_voxels_without_phase_are_told(by_hand):
    table = by_hand()
    frame = table.frame.copy()
    frame.loc[3, "fraction_B"] = 0.5
    found = results(replace(table, frame=frame))
    assert any("5.6% of the volume of the particles has no phase" in w for w in found.warnings)
    modal = found.frames()["modal"]
    of_volume = modal[modal["basis"] == "volume"]["value"]
    assert of_volume.tolist() == pytest.approx([200 / 425, 125 / 425, 100 / 425])


def test_what_cannot_be_is_said(by_hand):
    table = by_hand()
    with pytest.raises(SlagsegError, match="not in the phase table"):
        sample_of(table, target="gold")
    frame = table.frame.drop(columns="border_weight")
    with pytest.raises(SlagsegError, match="no border weights"):
        sample_of(replace(table, frame=frame), filters=SampleFilter(border="weighted"))
    with pytest.raises(SlagsegError, match="lacks the columns fraction_B"):
        sample_of(replace(table, frame=table.frame.drop(columns="fraction_B")))
    with pytest.raises(SlagsegError, match="two rows of the label 1"):
        sample_of(replace(table, frame=table.frame.assign(label=1)))
    with pytest.raises(SlagsegError, match="hold no particle"):
        SampleFilter(min_size_um=5, max_size_um=2)
    for chosen in ({"level": 1.5}, {"resamples": -1}, {"group_edges": (0.9, 0.3)}):
        with pytest.raises(SlagsegError):
            StatisticSettings(**chosen)


def test_few_particles_with_target_are_told(by_hand):
    assert any("only 3 particles hold target" in w for w in results(by_hand()).warnings)
