import numpy as np
import pandas as pd
import pytest

from napari_slagseg.workflow.reporting.layout import SECTIONS, arranged
from napari_slagseg.workflow.reporting.markdown import cell
from napari_slagseg.workflow.reporting.printed import EMPTY, number, printed


@pytest.mark.parametrize(
    ("value", "percent", "text"),
    [
        (0.4417, True, "44.2 %"),
        (630.0, False, "630"),
        (17_325_139.0, False, "17,325,139"),
        (38.04, False, "38.0"),
        (2.853, False, "2.85"),
        (0.01234, False, "0.0123"),
        (1234.6, False, "1,235"),
        (float("nan"), True, EMPTY),
        (float("inf"), False, "∞"),
    ],
)
def test_numbers_are_written_with_about_three_digits(value, percent, text):
    assert number(value, percent) == text


def modal(samples):
    rows = [
        (sample, phase, "volume", value, value - 0.1, value + 0.1)
        for sample in samples
        for phase, value in (("ore", 0.25), ("gangue", 0.75))
    ]
    return pd.DataFrame(rows, columns=["sample", "phase", "basis", "value", "low", "high"])


def test_one_sample_has_values_with_their_intervals():
    table = printed("modal", modal(["3D"]))
    assert table.header == ["phase", "basis", "value"]
    assert table.rows == [
        ["ore", "volume", "25.0 % (15.0 to 35.0 %)"],
        ["gangue", "volume", "75.0 % (65.0 to 85.0 %)"],
    ]
    assert table.numeric == [False, False, True]


def test_samples_stand_side_by_side_and_rows_that_some_lack_stay():
    frame = modal(["3D", "maps"]).drop(index=3)
    table = printed("modal", frame)
    assert table.header == ["phase", "basis", "3D", "maps"]
    assert table.rows[1] == ["gangue", "volume", "75.0 % (65.0 to 85.0 %)", EMPTY]


def test_a_value_without_interval_is_just_the_value_and_nothing_is_a_dash():
    frame = modal(["3D"]).assign(low=np.nan)
    frame.loc[1, "value"] = np.nan
    assert [row[2] for row in printed("modal", frame).rows] == ["25.0 %", EMPTY]


def test_association_has_partners_as_columns_in_the_order_of_phases():
    rows = [
        ("3D", "ore", True, "gangue", 0.4),
        ("3D", "ore", True, "outside", 0.6),
        ("3D", "gangue", False, "ore", 0.1),
        ("3D", "gangue", False, "outside", 0.9),
        ("2D", "ore", True, "gangue", np.nan),
    ]
    frame = pd.DataFrame(rows, columns=["sample", "phase", "is_target", "partner", "value"])
    table = printed("association", frame)
    assert table.header == ["sample", "phase", "ore", "gangue", "outside"]
    assert table.rows == [
        ["3D", "ore", EMPTY, "40.0 %", "60.0 %"],
        ["3D", "gangue", "10.0 %", EMPTY, "90.0 %"],
    ]


def test_units_are_written_as_people_write_them():
    frame = pd.DataFrame(
        {
            "sample": "3D",
            "quantity": ["volume", "target share"],
            "unit": ["um^3", "share"],
            "value": [8.0, 0.5],
            "low": np.nan,
            "high": np.nan,
        }
    )
    assert printed("summary", frame).rows == [
        ["volume", "µm³", "8"], ["target share", "%", "50.0 %"],
    ]  # fmt: skip


def test_every_table_and_plot_has_one_place_and_strange_ones_come_last():
    known = [name for section in SECTIONS for name in section.frames]
    assert len(set(known)) == len(known)
    sections = arranged(
        {"modal": 3, "strange": 2, "long": 999}, ["modal", "odd", "new"], {"new": "size"}
    )
    assert [s.key for s in sections] == ["modal", "size", "further"]
    assert sections[1].plots == ("new",)
    assert sections[2].frames == ("strange",)
    assert sections[2].plots == ("odd",)
    assert sections[2].files == ("long",)


def test_markdown_cells_neither_end_nor_begin_anything():
    assert cell("a|b\nc<script>") == "a\\|b c&lt;script>"
