"""Tables as one XLSX workbook, with a sheet that says what every column means."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from napari_slagseg.data import ColumnDefinition, SlagsegError
from napari_slagseg.io.atomic import atomic_file
from napari_slagseg.io.tables import harmless, harmless_frame

if TYPE_CHECKING:
    from openpyxl import Workbook

SHEET_ROWS = 1_000_000
"""Rows of a table on one sheet; spreadsheets end at 1,048,576. The rest follows on further ones."""

_NAME_LENGTH = 31
_NOT_IN_NAMES = re.compile(r"[\[\]:*?/\\']")
_NOT_IN_CELLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f]")
DEFINITIONS_SHEET = "definitions"


def write_workbook(
    path: str | Path,
    tables: Mapping[str, pd.DataFrame],
    definitions: Mapping[str, Mapping[str, ColumnDefinition]],
) -> None:
    """Write tables as sheets of one XLSX file, atomically.

    Needs ``openpyxl`` (the extra ``xlsx``). Text that a spreadsheet would run as a formula gets
    an apostrophe in front, as in our CSV files; NaN becomes an empty cell, infinity the
    text ``inf``. Numbers keep every digit.

    Parameters
    ----------
    path : path
        Ends in ``.xlsx``.
    tables : mapping of name to DataFrame
        One sheet each, in this order; a table of more than `SHEET_ROWS` goes on on further sheets.
    definitions : mapping of table name to mapping of column name to ColumnDefinition
        For the last sheet, ``definitions``. Columns that are not in it are listed without meaning.

    Raises
    ------
    SlagsegError
        If openpyxl is not installed, or the place cannot be written to.
    """
    path = Path(path)
    try:
        from openpyxl import Workbook
    except ImportError as error:
        raise SlagsegError(
            f"Writing {path.name} needs openpyxl: pip install 'napari-slagseg[xlsx]'. "
            "The same tables are written as CSV without it."
        ) from error
    book = Workbook(write_only=True)
    taken: set[str] = {DEFINITIONS_SHEET}
    for name, frame in tables.items():
        for part in _parts(frame):
            _add_sheet(book, _sheet_name(name, taken), harmless_frame(part))
    _add_sheet(book, DEFINITIONS_SHEET, _definitions(tables, definitions))
    with atomic_file(path) as temporary:
        book.save(temporary)


def _parts(frame: pd.DataFrame) -> Iterator[pd.DataFrame]:
    for start in range(0, max(len(frame), 1), SHEET_ROWS):
        yield frame.iloc[start : start + SHEET_ROWS]


def _sheet_name(name: str, taken: set[str]) -> str:
    """Name that spreadsheets take: short, without signs they use, once."""
    plain = _NOT_IN_NAMES.sub("_", name).strip() or "table"
    number, candidate = 1, plain[:_NAME_LENGTH]
    while candidate.lower() in taken:
        number += 1
        ending = f" ({number})"
        candidate = plain[: _NAME_LENGTH - len(ending)] + ending
    taken.add(candidate.lower())
    return candidate


def _definitions(
    tables: Mapping[str, pd.DataFrame], definitions: Mapping[str, Mapping[str, ColumnDefinition]]
) -> pd.DataFrame:
    rows = []
    for table, frame in tables.items():
        known = definitions.get(table, {})
        for column in map(str, frame.columns):
            meant = known.get(column, ColumnDefinition("", ""))
            rows.append((table, column, meant.unit, meant.meaning, meant.source))
    frame = pd.DataFrame(rows, columns=["table", "column", "unit", "meaning", "source"])
    return harmless_frame(frame)


def _add_sheet(book: Workbook, name: str, frame: pd.DataFrame) -> None:
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.styles import Font
    from openpyxl.utils import get_column_letter

    sheet = book.create_sheet(name)
    sheet.freeze_panes = "A2"
    bold = Font(bold=True)
    header = []
    for i, column in enumerate(map(str, frame.columns), start=1):
        text = _NOT_IN_CELLS.sub("\ufffd", harmless(column))
        cell = WriteOnlyCell(sheet, value=text)
        cell.font = bold
        header.append(cell)
        # widths have to be said before the first row
        sheet.column_dimensions[get_column_letter(i)].width = min(60, max(9, len(text) + 2))
    sheet.append(header)
    for row in frame.itertuples(index=False, name=None):
        sheet.append([_cell(value) for value in row])


def _cell(value: Any) -> Any:
    """Value as the workbook takes it."""
    if isinstance(value, str):
        return _NOT_IN_CELLS.sub("\ufffd", value)
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if isinstance(value, (int, np.integer)):
        # beyond 2^53 a spreadsheet would round; labels must stay what they are
        return int(value) if abs(int(value)) <= 1 << 53 else str(int(value))
    if isinstance(value, (float, np.floating)):
        number = float(value)
        return number if math.isfinite(number) else (None if math.isnan(number) else f"{number}")
    return None if value is None or value is pd.NA or value is pd.NaT else str(value)


__all__ = ["DEFINITIONS_SHEET", "SHEET_ROWS", "write_workbook"]
