from pathlib import Path

from napari_slagseg.data import GRAIN_COLUMNS, PARTICLE_COLUMNS, SECTION_COLUMNS
from napari_slagseg.workflow.reporting.dictionary_page import dictionary_page
from napari_slagseg.workflow.reporting.iso_terms import ISO_TERMS_2D, ISO_TERMS_3D

PAGE = Path(__file__).parents[3] / "docs/reference/data-dictionary.md"


def test_the_page_of_the_documentation_is_what_the_program_says():
    assert PAGE.read_text(encoding="utf-8") == dictionary_page(), (
        "run 'python scripts/data_dictionary.py'"
    )


def test_terms_of_the_standard_are_of_columns_that_exist():
    assert set(ISO_TERMS_2D) <= set(SECTION_COLUMNS)
    assert set(ISO_TERMS_3D) <= {*PARTICLE_COLUMNS, *GRAIN_COLUMNS}
    shape = {"feret_max_um", "feret_min_um", "solidity", "convexity"}
    assert all(ISO_TERMS_3D[name].startswith("3D analogue of") for name in shape)


def test_every_row_of_the_page_has_all_its_cells():
    width = 0
    for line in dictionary_page().splitlines():
        if line.startswith("| column"):
            width = line.count(" | ")
        elif line.startswith("| `"):
            assert line.replace("\\|", "").count(" | ") == width, line
