import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from napari_slagseg.data import ColumnDefinition, SlagsegError
from napari_slagseg.io import workbook, write_frame, write_workbook

openpyxl = pytest.importorskip("openpyxl")

EVIL = ['=HYPERLINK("http://x","y")', "+1", "-2+3", "@SUM(A1)", "\tx", "\rx"]


def cells(path: Path, sheet: str) -> list[list]:
    book = openpyxl.load_workbook(path)
    return [[cell.value for cell in row] for row in book[sheet].iter_rows()]


def test_numbers_texts_and_definitions_come_back(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "label": np.array([1, 2**60], dtype=np.int64),
            "volume_um3": [1 / 3, np.nan],
            "shift_um": [-2.5, np.inf],
            "touches_border": [True, False],
            "phase": ["quartz", None],
        }
    )
    path = tmp_path / "t.xlsx"
    write_workbook(
        path,
        {"particles": frame, "empty": frame.iloc[:0]},
        {"particles": {"volume_um3": ColumnDefinition("um^3", "Volume.", "K")}},
    )
    assert cells(path, "particles") == [
        ["label", "volume_um3", "shift_um", "touches_border", "phase"],
        [1, 1 / 3, -2.5, True, "quartz"],
        [str(2**60), None, "inf", False, None],
    ]
    assert len(cells(path, "empty")) == 1
    meant = cells(path, "definitions")
    assert meant[0] == ["table", "column", "unit", "meaning", "source"]
    assert meant[2] == ["particles", "volume_um3", "um^3", "Volume.", "K"]
    assert len(meant) == 11


def test_nothing_is_left_that_a_spreadsheet_would_run(tmp_path: Path) -> None:
    frame = pd.DataFrame({"phase": EVIL, EVIL[0]: np.arange(-3.0, 3.0)})
    write_workbook(tmp_path / "t.xlsx", {"=evil": frame}, {"=evil": {}})
    book = openpyxl.load_workbook(tmp_path / "t.xlsx")
    for sheet in book:
        for row in sheet.iter_rows():
            for cell in row:
                assert cell.data_type != "f"
                if cell.data_type == "s":
                    assert not str(cell.value).startswith(("=", "+", "-", "@", "\t", "\r"))
    assert [row[1].value for row in book["=evil"].iter_rows(min_row=2)] == [-3, -2, -1, 0, 1, 2]

    write_frame(tmp_path / "t.csv", frame)
    read = pd.read_csv(tmp_path / "t.csv", dtype={"phase": str}, lineterminator="\n")
    assert all(text.startswith("'") for text in read["phase"])
    assert list(read.columns) == ["phase", f"'{EVIL[0]}"]
    assert read.iloc[:, 1].tolist() == [-3, -2, -1, 0, 1, 2]


def test_sheet_names_are_taken_by_spreadsheets_and_once(tmp_path: Path) -> None:
    one = pd.DataFrame({"a": [1]})
    names = ["x" * 40, "X" * 40, "a/b:c", "definitions", ""]
    write_workbook(tmp_path / "t.xlsx", dict.fromkeys(names, one), {})
    assert openpyxl.load_workbook(tmp_path / "t.xlsx").sheetnames == [
        "x" * 31, "X" * 27 + " (2)", "a_b_c", "definitions (2)", "table", "definitions",
    ]  # fmt: skip


def test_long_tables_go_on_on_another_sheet(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(workbook, "SHEET_ROWS", 4)
    write_workbook(tmp_path / "t.xlsx", {"long": pd.DataFrame({"a": range(9)})}, {})
    found = [cells(tmp_path / "t.xlsx", s)[1:] for s in ("long", "long (2)", "long (3)")]
    assert [row for sheet in found for (row,) in sheet] == list(range(9))


def test_control_signs_in_names_do_no_harm(tmp_path: Path) -> None:
    write_workbook(tmp_path / "t.xlsx", {"t": pd.DataFrame({"a\x00": ["b\x1f"]})}, {})
    assert cells(tmp_path / "t.xlsx", "t") == [["a\ufffd"], ["b\ufffd"]]


def test_without_openpyxl_the_extra_is_named(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(SlagsegError, match=r"napari-slagseg\[xlsx\].*CSV"):
        write_workbook(tmp_path / "t.xlsx", {}, {})
    assert not list(tmp_path.iterdir())
