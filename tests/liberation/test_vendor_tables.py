"""Tables of a vendor (TESCAN TIMA), and our numbers from the vendor's own map."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from benchmarks.tima_mount import DENSITIES, PIXEL_UM, SAMPLE

from napari_slagseg import io
from napari_slagseg.data import PhaseTable
from napari_slagseg.descriptors import describe_map
from napari_slagseg.ground_truth import label_map_particles
from napari_slagseg.liberation import (
    SampleFilter,
    StatisticSettings,
    sample_of,
    sample_results,
)

SHARED = Path(__file__).parents[3] / "shared" / "data"

pytestmark = [
    pytest.mark.shared_data,
    pytest.mark.skipif(not SHARED.is_dir(), reason=f"{SHARED} is not there"),
]

FREE = "Free particles"


def association_tables(folder: Path) -> dict[str, dict[str, dict[str, float]]]:
    """Sample to column (the mineral) to row (the partner) to per cent."""
    path = folder / "tima_vendor_tables" / "mineral_associations_modal abundances.csv"
    found: dict[str, dict[str, dict[str, float]]] = {}
    columns: list[str] = []
    current: dict[str, dict[str, float]] = {}
    with path.open(encoding="utf-8-sig", newline="") as file:
        for name, *cells in csv.reader(file):
            if name == "Legend":
                columns = cells
            elif "Liberation analysis" in name:
                current = found.setdefault(name, {column: {} for column in columns})
            elif name:
                for column, text in zip(columns, cells):
                    if text not in ("", "----"):
                        current[column][name] = float(text)
    return found


def test_the_vendor_s_columns_sum_to_100_with_the_free_particles(shared_data):
    tables = association_tables(shared_data)
    assert len(tables) == 18
    seen = 0
    for columns in tables.values():
        for mineral, rows in columns.items():
            parts = [value for partner, value in rows.items() if partner != "Total"]
            if sum(parts) == 0:  # the mineral does not occur
                continue
            seen += 1
            assert FREE in rows
            # up to 30 numbers, each rounded to 0.01
            assert sum(parts) == pytest.approx(100, abs=0.05), mineral
    assert seen > 400


def test_the_vendor_s_association_is_no_share_of_common_boundary(shared_data):
    """Shares of boundary follow a rule that the vendor's numbers break.

    With lengths L_ij = L_ji, the shares f_ij = L_ij / L_j give
    f_12 f_23 f_31 = f_21 f_32 f_13, whatever the sums L_j are.
    """
    ratios = []
    for columns in association_tables(shared_data).values():
        q, p, o = (columns[name] for name in ("Quartz", "Plagioclase", "Orthoclase"))
        one_way = q["Plagioclase"] * p["Orthoclase"] * o["Quartz"]
        ratios.append(one_way / (q["Orthoclase"] * o["Plagioclase"] * p["Quartz"]))
    assert min(ratios) < 0.5
    assert max(ratios) > 1.5


@pytest.fixture(scope="module")
def shared_data():
    return SHARED


@pytest.fixture(scope="module")
def mount(shared_data):
    """Map of the mount, and its particle sections with handbook densities."""
    folder = shared_data / "tima_particles_in_epoxy"
    table = io.read_legend(folder / f"{SAMPLE}_phases.json")
    mineral_map = io.read_mineral_map(
        folder / f"{SAMPLE}_phases_u8.tif", table, PIXEL_UM, mask=folder / f"{SAMPLE}_mask_u8.tif"
    )
    phases = (replace(phase, density_g_cm3=DENSITIES.get(phase.name)) for phase in table)
    table = PhaseTable(tuple(phases), "Albite")
    labels = label_map_particles(mineral_map)
    return mineral_map, labels, describe_map(mineral_map, table, labels)


def test_modal_mass_is_the_vendor_s(shared_data, mount):
    mineral_map, _, described = mount
    listed = io.read_json(shared_data / "tima_particles_in_epoxy" / f"{SAMPLE}_phases.json")
    vendor = {e["name"]: float(e["vendor_mass_pct"]) for e in listed["phases"].values()}
    ids, counts = np.unique(mineral_map.phases, return_counts=True)
    area = dict(zip(ids.tolist(), counts.tolist()))
    dense = [p for p in described.table if p.density_g_cm3 and area.get(p.id)]
    mass = np.array([area[p.id] * p.density_g_cm3 for p in dense])
    theirs = np.array([vendor[p.name] for p in dense])
    assert len(dense) == 18
    assert theirs.sum() > 79  # per cent of the mount; the rest has no density or no phase
    difference = 100 * (mass / mass.sum() - theirs / theirs.sum())
    assert np.abs(difference).max() < 0.4
    assert np.abs(difference).mean() < 0.06


def test_association_is_that_of_plainly_counted_pixel_edges(mount):
    mineral_map, labels, described = mount
    target = described.table.target_id
    sample = sample_of(described, filters=SampleFilter(border="include"), label="map")
    frame = sample_results(sample, settings=StatisticSettings(resamples=0)).frames()["association"]
    frame = frame[frame["is_target"] & (frame["phase"] == "Albite")]
    ours = dict(zip(frame["partner"], frame["value"]))
    assert sum(v for v in ours.values() if np.isfinite(v)) == pytest.approx(1)

    counted: dict[str, int] = {}
    names = {p.id: p.name for p in described.table} | {0: "no phase", -1: "no phase"}
    for axis in (0, 1):
        first, second = (
            tuple(slice(a, b) if i == axis else slice(None) for i in (0, 1))
            for a, b in ((None, -1), (1, None))
        )
        for one, two in ((first, second), (second, first)):
            mine = (mineral_map.phases[one] == target) & (labels[one] > 0)
            other = mineral_map.phases[two]
            outside = labels[one] != labels[two]
            for phase in np.unique(other[mine & ~outside & (other != target)]):
                n = int((mine & ~outside & (other == phase)).sum())
                name = names[int(phase)]
                counted[name] = counted.get(name, 0) + n
            counted["outside"] = counted.get("outside", 0) + int((mine & outside).sum())
    whole = sum(counted.values())
    plain = {name: n / whole for name, n in counted.items()}
    for name in ("Quartz", "no phase", "Clinochlore", "outside", "Muscovite", "Biotite"):
        # edges count staircases, lines in four directions do not: shares agree, lengths would not
        assert ours[name] == pytest.approx(plain[name], abs=0.01), name
