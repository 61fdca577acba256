from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure

from napari_slagseg.data import (
    PARTICLE_COLUMNS,
    ColumnDefinition,
    ParticleTable,
    PhaseTable,
    SlagsegError,
)
from napari_slagseg.io import (
    read_particle_table,
    write_figure,
    write_frame,
    write_particle_table,
)


def particles(table: PhaseTable, n: int) -> ParticleTable:
    rng = np.random.default_rng(n)
    columns = [*PARTICLE_COLUMNS, *(f"fraction_{phase.name}" for phase in list(table)[1:])]
    frame = pd.DataFrame({name: rng.random(n) * 10.0 ** rng.integers(-9, 9, n) for name in columns})
    frame["label"] = np.arange(1, n + 1)
    frame["n_voxels"] = rng.integers(1, 10**9, n)
    frame["touches_border"] = rng.random(n) < 0.5
    frame.loc[frame.index[:1], "sphericity"] = np.nan
    definitions = {
        name: ColumnDefinition("um", f"what {name} is", "Kirstein et al.") for name in columns
    }
    return ParticleTable(
        frame,
        definitions,
        (3.0, 2.0, 2.0),
        table.with_target("spodumene"),
        notes={"erosion": "none"},
    )


@pytest.mark.parametrize("n", [0, 1, 50])
def test_round_trip(tmp_path: Path, table: PhaseTable, n: int) -> None:
    before = particles(table, n)
    write_particle_table(before, tmp_path / "particles.csv", {"seed": np.int64(1)})
    after = read_particle_table(tmp_path / "particles.csv")
    pd.testing.assert_frame_equal(after.frame, before.frame, check_dtype=n > 0, check_exact=True)
    assert after.frame["touches_border"].dtype == bool
    assert after.definitions == before.definitions
    assert after.table == before.table
    assert (after.voxel_size_um, after.dimension) == (before.voxel_size_um, 3)
    assert after.notes == before.notes
    assert len(after.inside()) == n - before.frame["touches_border"].sum()


def test_sidecar_says_what_every_column_is(tmp_path: Path, table: PhaseTable) -> None:
    write_particle_table(particles(table, 3), tmp_path / "p.csv", {"config": {"x": float("nan")}})
    header = (tmp_path / "p.csv").read_text().splitlines()[0]
    sidecar = json.loads((tmp_path / "p.json").read_text())
    assert header.split(",")[: len(PARTICLE_COLUMNS)] == list(PARTICLE_COLUMNS)
    assert header.endswith('fraction_spodumene,fraction_quartz,"fraction_mica, dark"')
    assert list(sidecar["columns"])[: len(PARTICLE_COLUMNS)] == list(PARTICLE_COLUMNS)
    assert len(sidecar["columns"]) == len(PARTICLE_COLUMNS) + 3
    assert all(set(c) == {"unit", "meaning", "source"} for c in sidecar["columns"].values())
    assert sidecar["provenance"] == {"config": {"x": None}}
    assert sidecar["target"] == "spodumene"
    assert [p["name"] for p in sidecar["phases"]] == list(table.names)
    assert sidecar["rows"] == 3


def test_column_without_a_meaning_is_refused(tmp_path: Path, table: PhaseTable) -> None:
    bare = particles(table, 2)
    bare.frame["mystery"] = 1.0
    with pytest.raises(SlagsegError, match="columns mystery have no definition"):
        write_particle_table(bare, tmp_path / "p.csv")
    with pytest.raises(SlagsegError, match="the table is CSV"):
        write_particle_table(particles(table, 2), tmp_path / "p.json")
    assert not list(tmp_path.iterdir())


def test_damaged_tables(tmp_path: Path, table: PhaseTable) -> None:
    path = tmp_path / "p.csv"
    with pytest.raises(SlagsegError, match="Check the name of the particle table"):
        read_particle_table(path)
    write_particle_table(particles(table, 3), path)
    sidecar = json.loads((tmp_path / "p.json").read_text())
    (tmp_path / "p.json").write_text(json.dumps(sidecar | {"format": 7}))
    with pytest.raises(SlagsegError, match=r"p\.json has the format version 7"):
        read_particle_table(path)
    del sidecar["voxel_size_um"]
    (tmp_path / "p.json").write_text(json.dumps(sidecar))
    with pytest.raises(SlagsegError, match=r"p\.csv is damaged \(KeyError 'voxel_size_um'\)"):
        read_particle_table(path)
    write_particle_table(particles(table, 3), path)
    pd.read_csv(path).drop(columns="sphericity").to_csv(path, index=False)
    with pytest.raises(SlagsegError, match="lacks the columns sphericity"):
        read_particle_table(path)
    path.write_bytes(b"")
    with pytest.raises(SlagsegError, match="is damaged"):
        read_particle_table(path)
    (tmp_path / "p.json").unlink()
    with pytest.raises(SlagsegError, match="the definitions of the particle table"):
        read_particle_table(path)


def test_spreadsheet_that_writes_capitals(tmp_path: Path, table: PhaseTable) -> None:
    before = particles(table, 20)
    write_particle_table(before, tmp_path / "p.csv")
    text = (tmp_path / "p.csv").read_text()
    text = text.replace("True", "TRUE").replace("False", "FALSE")
    (tmp_path / "p.csv").write_text("\ufeff" + text)
    after = read_particle_table(tmp_path / "p.csv").frame["touches_border"]
    assert after.tolist() == before.frame["touches_border"].tolist()


@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.floats(allow_infinity=False), min_size=1))
def test_floats_keep_every_digit(tmp_path: Path, values: list[float]) -> None:
    write_frame(tmp_path / "t.csv", pd.DataFrame({"i": range(len(values)), "a": values}))
    again = pd.read_csv(tmp_path / "t.csv", engine="python")["a"].astype(float)
    np.testing.assert_array_equal(again, values)


def test_spreadsheets_run_no_formulas(tmp_path: Path) -> None:
    frame = pd.DataFrame({"phase": ["=HYPERLINK(1)", "quartz", "@x"], "value": [-1.0, 2.0, -3.5]})
    write_frame(tmp_path / "t.csv", frame)
    assert (tmp_path / "t.csv").read_text() == (
        "phase,value\n'=HYPERLINK(1),-1.0\nquartz,2.0\n'@x,-3.5\n"
    )


def test_figures(tmp_path: Path) -> None:
    figure = Figure()
    figure.add_subplot().plot([0, 1], [0, 1])
    write_figure(figure, tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    write_figure(figure, tmp_path / "a.svg")
    write_figure(figure, tmp_path / "b.svg")
    assert (tmp_path / "a.svg").read_text() == (tmp_path / "b.svg").read_text()
    assert (tmp_path / "a.svg").read_text().count("<svg") == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.png", "a.svg", "b.svg"]
