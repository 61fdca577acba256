"""Measuring and reporting on a segmentation that is known."""

import numpy as np
import pandas as pd
import pytest

from napari_slagseg import io
from napari_slagseg.data import MineralMap, Phase, PhaseTable, SlagsegError, phase_table_of
from napari_slagseg.liberation.degrees import exact_curves
from napari_slagseg.project import Project
from napari_slagseg.workflow import STEPS, ReportConfig, make_config, run_step
from napari_slagseg.workflow.measured_sections import erosion_in_pixels, map_in_classes
from napari_slagseg.workflow.reporting.markdown import summary_tables
from napari_slagseg.workflow.reporting.statistics import project_results
from napari_slagseg.workflow.segment import table_to_json

COATED = slice(4, 16)
ERODED = "surface_liberation_eroded"


@pytest.fixture
def project(tmp_path):
    """One particle of 12^3 voxels: ore with a rim of gangue, one voxel thick.

    Its only surface is gangue; one voxel deeper all is ore. The map cuts it in
    the middle, at half the voxel's edge.
    """
    phases = np.zeros((20, 20, 20), np.uint8)
    phases[COATED, COATED, COATED] = 2
    phases[5:15, 5:15, 5:15] = 1
    table = phase_table_of(["background", "ore", "gangue"], ["#000000", "#d55e00", "#56b4e9"])
    table = table.with_target("ore")
    grey = (phases * 80 + np.arange(20) % 3).astype(np.uint8)
    io.write_volume(tmp_path / "ct.tif", grey, (2.0, 2.0, 2.0))
    io.write_legend(table, tmp_path / "l.csv")
    cut = phases[10].astype(np.int16).repeat(2, 0).repeat(2, 1)
    io.write_false_colour(MineralMap(cut, 1.0, table, "cut"), tmp_path / "cut.png")
    project = Project.create(
        tmp_path / "p", ct=tmp_path / "ct.tif", maps=[tmp_path / "cut.png"],
        legend=tmp_path / "l.csv", pixel_size_um=1.0, target="ore",
    )  # fmt: skip
    io.write_zarr_arrays(
        project.segmentation_path,
        {"phases": phases, "particles": (phases > 0).astype(np.uint32)},
        attributes={"phase_table": table_to_json(table)},
    )
    return project


def test_the_second_surface_liberation_is_in_every_table(project):
    run_step(project, STEPS["measure"], make_config(STEPS["measure"], {"sections": 5}))
    for name, rows in (("particles", 1), ("sections", 3), ("map_sections", 1)):
        frame = pd.read_csv(project.tables / f"{name}.csv")
        assert len(frame) == rows, name
        assert frame["surface_liberation"].tolist() == [0] * rows, name
        # sections 2 and 18 of planes 2, 6, 10, 14, 18 miss it; 1 voxel is 2 pixels of the map
        assert frame[ERODED].tolist() == [1] * rows, name
    sidecar = io.read_particle_table(project.tables / "map_sections.csv")
    assert "2 pixels" in sidecar.definitions[ERODED].meaning
    samples = project_results(project, ReportConfig(resamples=0)).samples.values()
    curves = [exact_curves(sample)[ERODED] for sample in samples]
    assert [c.label for c in curves] == [
        "3D particles", "2D sections of the 3D result", "SEM-EDS maps",
    ]  # fmt: skip
    assert [float(c.at(1.0)) for c in curves] == [1, 1, 1]


@pytest.mark.parametrize("directions", ["normal", "random"])
def test_sections_in_other_directions(project, directions):
    values = {"section_directions": directions, "sections": 8, "section_normal": (0, 1, 1)}
    run_step(project, STEPS["measure"], make_config(STEPS["measure"], values))
    found = io.read_particle_table(project.tables / "sections.csv")
    assert found.notes["planes"].count(";") >= 7
    # no section of a cube of 24 um is larger than that through two of its edges
    assert 0 < found.frame["area_um2"].max() <= 24**2 * 2**0.5 * 1.1
    no_normal = make_config(STEPS["measure"], {"section_directions": "normal"})
    with pytest.raises(SlagsegError, match="needs three numbers"):
        run_step(project, STEPS["measure"], no_normal)


def test_sections_of_an_earlier_run_are_not_kept(project):
    run_step(project, STEPS["measure"])
    assert (project.tables / "sections.csv").exists()
    run_step(project, STEPS["measure"], make_config(STEPS["measure"], {"sections": 0}))
    assert not list(project.tables.glob("sections*"))


def test_no_erosion_is_no_column(project):
    run_step(project, STEPS["measure"], make_config(STEPS["measure"], {"erosion_voxels": 0}))
    for path in project.tables.glob("*.csv"):
        assert ERODED not in pd.read_csv(path)


PHASES = [
    Phase(0, "background", "#000000"),
    Phase(1, "ore", "#d55e00"),
    Phase(2, "film", "#111111", group="background"),
    Phase(3, "mica", "#222222", group="rest"),
    Phase(4, "quartz", "#333333", group="rest"),
]


@pytest.mark.parametrize(
    ("classes", "expected"),
    [
        (["background", "ore", "rest"], [-1, 0, 1, 0, 2, 2]),  # grouped
        (["background", "ore", "mica", "quartz"], [-1, 0, 1, 0, 2, 3]),  # every phase alone
        (["background", "quartz", "mica", "ore"], [-1, 0, 3, 0, 2, 1]),
        (["background", "ore", "mica"], None),
        (["background", "ore", "rest", "gold"], None),
    ],
)
def test_a_map_takes_the_classes_that_were_trained(classes, expected):
    pixels = np.array([[-1, 0, 1, 2, 3, 4]], dtype=np.int16)
    mineral_map = MineralMap(pixels, 1.0, PhaseTable(tuple(PHASES), "ore"), "cut")
    trained = phase_table_of(classes, [f"#00000{i}" for i in range(len(classes))])
    if expected is None:
        with pytest.raises(SlagsegError, match="Annotate and train again"):
            map_in_classes(mineral_map, trained)
    else:
        found = map_in_classes(mineral_map, trained)
        assert found.phases[0].tolist() == expected
        assert found.table == trained


def test_the_map_loses_a_rim_as_deep_as_the_volume_does():
    assert erosion_in_pixels(0, (5, 5, 5), 1.0) == 0
    assert erosion_in_pixels(1, (2.3, 2.3, 2.3), 1.0) == 2
    assert erosion_in_pixels(2, (2.3, 2.3, 2.3), 1.0) == 5
    assert erosion_in_pixels(1, (1.0, 1.0, 1.0), 4.0) == 1


def test_the_report_is_tables_and_no_programmer_s_words(project):
    lines = summary_tables(
        {
            "particles": 1234,
            "without_marker": 3,
            "volume_shares": {"ore": 0.125, "gangue": 0.5},
            "target_share_of_particles": None,
            "warnings": ["Look here."],
        }
    )
    assert "| particles | 1,234 |" in lines
    assert "| particles without a marker | 3 |" in lines
    assert "| target share of all particles | n/a |" in lines
    assert lines[lines.index("| phase | share of the volume |") + 2 :] == [
        "| ore | 12.50% |", "| gangue | 50.00% |", "", "*Look here.*",
    ]  # fmt: skip
    run_step(project, STEPS["measure"])
    run_step(project, STEPS["report"])
    page = (project.folder / "report.md").read_text()
    assert "| target phase | ore |" in page
    assert "| target share of all particles | 57.87% |" in page  # 10^3 / 12^3
    assert "{" not in page
