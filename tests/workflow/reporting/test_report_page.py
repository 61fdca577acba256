"""The page that the report step writes, with names that were chosen to break it."""

import json
import shutil

import html5lib
import numpy as np
import pandas as pd
import pytest

from napari_slagseg import io
from napari_slagseg.data import MineralMap, Phase, PhaseTable, SlagsegError
from napari_slagseg.project import Project
from napari_slagseg.workflow import STEPS, make_config, run_step
from napari_slagseg.workflow import report as report_step
from napari_slagseg.workflow.segment import table_to_json

ORE = '<script>alert("x")</script>'
GANGUE = '"><img src=http://evil.example/x onerror=alert(1)> $\\frac{$'


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """Two blocks of 8^3 voxels, one half ore and one ore alone, and one that is cut off."""
    folder = tmp_path_factory.mktemp("report")
    phases = np.zeros((24, 24, 24), np.uint8)
    particles = np.zeros((24, 24, 24), np.uint32)
    for label, corner in ((1, (2, 2, 2)), (2, (2, 2, 13)), (3, (2, 13, 2)), (4, (16, 13, 13))):
        where = tuple(slice(c, c + 8) for c in corner)
        particles[where] = label
        phases[where] = 1
    phases[2:10, 2:10, 2:6] = 2
    table = PhaseTable(
        (
            Phase(0, "background", "#000000"),
            Phase(1, ORE, "#d55e00", formula="LiAlO2", density_g_cm3=2.6),
            Phase(2, GANGUE, "#56b4e9", formula="SiO2", density_g_cm3=2.65),
        ),
        ORE,
    )
    grey = (phases * 80 + np.arange(24) % 3).astype(np.uint8)
    io.write_volume(folder / "ct.tif", grey, (2.0, 2.0, 2.0))
    io.write_legend(table, folder / "l.csv")
    cut = phases[4].astype(np.int16)
    io.write_false_colour(MineralMap(cut, 2.0, table, "cut"), folder / "=cut.png")
    project = Project.create(
        folder / "<b>p", ct=folder / "ct.tif", maps=[folder / "=cut.png"],
        legend=folder / "l.csv", pixel_size_um=2.0, target=ORE,
    )  # fmt: skip
    io.write_zarr_arrays(
        project.segmentation_path,
        {"phases": phases, "particles": particles},
        attributes={"phase_table": table_to_json(table)},
    )
    run_step(project, STEPS["measure"], make_config(STEPS["measure"], {"sections": 3}))
    return project


@pytest.fixture
def undrawn(monkeypatch):
    """Reports without figures, which take most of their time."""
    monkeypatch.setattr(report_step, "_figures", lambda *_: {})


def report(project, **values):
    return run_step(
        project, STEPS["report"], make_config(STEPS["report"], {"resamples": 20, **values})
    )


@pytest.fixture(scope="module")
def reported(measured):
    report(measured, xlsx=True)
    return measured


def parsed(project):
    text = (project.folder / "report.html").read_text(encoding="utf-8")
    parser = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False)
    return parser.parse(text), text


def test_the_page_is_valid_and_runs_and_loads_nothing(reported):
    tree, text = parsed(reported)
    tags = {element.tag for element in tree.iter()}
    assert "script" not in tags
    assert not tags & {"link", "iframe", "object", "embed", "base"}
    for element in tree.iter():
        for name, value in element.attrib.items():
            assert not name.startswith("on"), (element.tag, name)
            if name in ("src", "href", "srcset", "action"):
                assert value.startswith(("data:image/", "#")), value[:80]
    assert "@import" not in text
    assert "url(" not in text


def test_foreign_names_are_shown_as_they_are(reported):
    tree, text = parsed(reported)
    shown = "".join(tree.itertext())
    assert ORE in shown
    assert GANGUE in shown
    assert ORE not in text
    assert "http://evil.example/x onerror=alert(1)>" not in text


def test_every_link_within_the_page_leads_somewhere(reported):
    tree, _ = parsed(reported)
    ids = {element.get("id") for element in tree.iter()}
    links = [e.get("href")[1:] for e in tree.iter("a")]
    assert set(links) <= ids
    for key in ("summary", "modal", "liberation", "grade-recovery", "methods", "provenance"):
        assert key in links


def test_the_page_says_the_numbers_of_the_sample(reported):
    tree, _ = parsed(reported)
    shown = " ".join(" ".join(tree.itertext()).split())
    # 3 of 4 particles are whole; of their 3 x 512 voxels half a particle is gangue
    assert "3 particles, of 4 measured" in shown
    assert "83.3 % of the particles' volume is target" in shown
    assert "N = 3 of 4, 1 at the border" in shown
    assert "edge of a voxel" in shown
    figures = list(tree.iter("img"))
    assert len(figures) > 10
    assert all(figure.get("alt") for figure in figures)


def test_every_column_of_every_table_is_in_the_dictionary(reported):
    known = io.read_json(reported.tables / "dictionary.json")["tables"]
    tables = sorted(reported.tables.glob("*.csv"))
    assert len(tables) > 15
    for path in tables:
        for column in pd.read_csv(path, nrows=0).columns:
            meant = known[path.stem][column.lstrip("'")]
            assert meant["meaning"], (path.stem, column)
            assert set(meant) == {"unit", "meaning", "source", "iso_9276_6"}
    assert known["particles"]["feret_max_um"]["iso_9276_6"].startswith("3D analogue of")
    assert not known["map_sections"]["circularity"]["iso_9276_6"].startswith("3D")


def test_the_workbook_holds_every_table(reported):
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.load_workbook(reported.tables / "report.xlsx", read_only=True)
    assert {"particles", "sections", "map_sections", "summary", "definitions"} <= set(
        book.sheetnames
    )
    assert sum(1 for _ in book["particles"].iter_rows()) == 1 + 4
    empty = [row[1].value for row in book["definitions"].iter_rows(min_row=2) if not row[3].value]
    assert empty == []
    book.close()


def test_provenance_has_the_hashes_of_what_was_read(reported):
    values = io.read_json(reported.folder / "provenance.json")
    ct = reported.folder.parent / "ct.tif"
    assert values["inputs"]["ct"]["sha256"] == io.fingerprint(ct)
    (only,) = values["inputs"]["maps"].values()
    assert only["sha256"] == io.fingerprint(reported.folder.parent / "=cut.png")
    assert values["steps"]["measure"]["config"]["sections"] == 3
    assert values["report"]["resamples"] == 20
    assert values["versions"]["numpy"] == np.__version__
    assert values["networks"] == {}
    text = json.dumps({k: v for k, v in values.items() if k != "steps"})
    assert str(reported.folder.parent) not in text


def test_the_same_settings_give_the_same_tables(measured, tmp_path, undrawn):
    copy = tmp_path / "copy"
    shutil.copytree(measured.folder, copy)
    again = Project(copy)
    report(again)
    report(measured)
    for name in ("liberation_curves", "size_distribution", "association"):
        one, two = ((p.tables / f"{name}.csv").read_bytes() for p in (measured, again))
        assert one == two, name


def test_particles_at_the_border_count_when_they_are_asked_for(measured, tmp_path, undrawn):
    folder = tmp_path / "p"
    shutil.copytree(measured.folder, folder)
    project = Project(folder)
    report(project, border="include", html=False)
    assert not (folder / "report.html").exists()
    frame = pd.read_csv(project.tables / "summary.csv")
    of_3d = frame[(frame["sample"] == "3D particles") & (frame["quantity"] == "particles")]
    assert of_3d["value"].tolist() == [4]
    report(project, include_border=True)
    assert "were taken as whole" in (folder / "report.html").read_text()


def test_settings_that_make_no_sense_are_refused():
    make = STEPS["report"]
    for values, words in (
        ({"group_edges": (0.9, 0.3)}, "two rising edges"),
        ({"min_size_um": 50, "max_size_um": 20}, "No particle is at least 50"),
        ({"border": "weighted", "include_border": True}, "weighted and included"),
    ):
        with pytest.raises(SlagsegError, match=words):
            make_config(make, values)


def test_a_target_that_is_not_there_is_named(measured):
    with pytest.raises(SlagsegError, match="Phase 'gold' is not in the phase table"):
        report(measured, target=("gold",))


def test_no_particles_give_a_report_that_says_so(measured, tmp_path, undrawn):
    folder = tmp_path / "p"
    shutil.copytree(measured.folder, folder)
    project = Project(folder)
    io.write_zarr_arrays(
        project.segmentation_path,
        {
            "phases": np.zeros((24, 24, 24), np.uint8),
            "particles": np.zeros((24, 24, 24), np.uint32),
        },
        attributes={"phase_table": table_to_json(measured.phase_table())},
    )
    run_step(project, STEPS["measure"], make_config(STEPS["measure"], {"sections": 2}))
    result = report(project)
    assert any("no particle" in warning for warning in result.warnings)
    tree, _ = parsed(project)
    assert "no particle" in "".join(tree.itertext())
