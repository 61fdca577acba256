"""Phase tables: our CSV and JSON forms, and the TIMA vendor's JSON."""

from __future__ import annotations

import csv
import io as text_io
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from napari_slagseg.data import BACKGROUND, Phase, PhaseTable, SlagsegError
from napari_slagseg.data.colours import safe_colours
from napari_slagseg.data.minerals import symbol_of
from napari_slagseg.io.text import read_json, read_text, write_json, write_text

HEADER = ("colour", "phase", "symbol", "formula", "density_g_cm3", "group")
"""Columns of a legend; only the first two need values.

Without any colour (a raster of ids needs none) the phases take those of `safe_colours`; a phase
without a symbol takes its mineral's (`symbol_of`).
"""

ID_FIELD = "id"
"""Further column for phases whose ids are given (a raster's), not counted."""

BACKGROUND_NAME = "background"
_BACKGROUND_COLOUR = "#000000"
_COLOUR = re.compile(r"#[0-9a-f]{6}")

Row = tuple[str, Mapping[str, Any]]
"""Where a phase stands (file and line), and its fields."""


def read_legend(path: str | Path, target: str | None = None) -> PhaseTable:
    """Read a phase table.

    Parameters
    ----------
    path : path
        CSV with the header ``colour,phase,symbol,formula,density_g_cm3,group``
        (commas, or semicolons as some spreadsheets write them); JSON with a list
        of objects of the same fields (or ``{"phases": [...]}``); or a TIMA phase
        list (JSON object by vendor id). A further field ``id`` states ids where
        they do not follow from the order.
    target : str or None
        Name of the target phase.

    Returns
    -------
    table : PhaseTable
        The phase named ``background`` is 0, the others 1, 2, ... in file order.

    Raises
    ------
    SlagsegError
        Naming the file, the line and the value.
    """
    path = Path(path)
    if path.suffix.lower() == ".json":
        table = _read_json(path)
    else:
        table = _table(_csv_rows(path), path)
    if target is None:
        return table
    try:
        return table.with_target(target)
    except SlagsegError as error:
        raise SlagsegError(f"{path}: {error}") from error


def _table(rows: Sequence[Row], path: Path) -> PhaseTable:
    phases: list[Phase] = []
    seen: dict[str, str] = {}
    for where, row in _with_colours(rows):
        name, colour = _text(row, "phase"), _text(row, "colour").lower()
        if not name or not colour:
            raise SlagsegError(f"{where}: a phase needs a colour (#rrggbb) and a name.")
        if not _COLOUR.fullmatch(colour):
            raise SlagsegError(
                f"{where}: the colour '{colour}' of phase '{name}' is none; write it as #rrggbb, "
                "for example #d55e00."
            )
        is_background = name.lower() == BACKGROUND_NAME
        name = BACKGROUND_NAME if is_background else name
        if name in seen:
            raise SlagsegError(f"{where}: phase '{name}' stands twice, first in {seen[name]}.")
        seen[name] = where
        counted = len([p for p in phases if p.id != BACKGROUND]) + 1
        phases.append(
            Phase(
                id=BACKGROUND if is_background else _given_id(row, where, counted),
                name=name,
                colour=colour,
                symbol=_text(row, "symbol") or symbol_of(name),
                formula=_text(row, "formula"),
                density_g_cm3=_density(row.get("density_g_cm3"), where),
                group=_text(row, "group"),
            )
        )
    if not any(phase.id == BACKGROUND for phase in phases):
        raise SlagsegError(
            f"{path} has no phase named '{BACKGROUND_NAME}'. Add a line with the colour of the "
            f"resin, for example '{_BACKGROUND_COLOUR},{BACKGROUND_NAME}' (any colour that does "
            "not occur will do if the map shows none)."
        )
    if len(phases) == 1:
        raise SlagsegError(f"{path} lists no phase beside the background.")
    try:
        return PhaseTable(tuple(phases))
    except SlagsegError as error:
        raise SlagsegError(f"{path}: {error}") from error


def _with_colours(rows: Sequence[Row]) -> list[Row]:
    """Rows as they are, or with safe colours where not one has a colour."""
    if any(_text(row, "colour") for _, row in rows):
        return list(rows)
    colours = iter(safe_colours(len(rows)))
    return [
        (
            where,
            {
                **row,
                "colour": _BACKGROUND_COLOUR
                if _text(row, "phase").lower() == BACKGROUND_NAME
                else next(colours),
            },
        )
        for where, row in rows
    ]


def _text(row: Mapping[str, Any], field: str) -> str:
    value = row.get(field)
    return "" if value is None else str(value).strip()


def _density(value: Any, where: str) -> float | None:
    if value is None or str(value).strip() == "":
        return None
    try:
        density = float(value)
    except (TypeError, ValueError):
        density = math.nan
    if not (math.isfinite(density) and density >= 0):
        raise SlagsegError(
            f"{where}: the density '{value}' is not a number of 0 or more. Write it in g/cm3 "
            "with a point, or leave it empty."
        )
    return density


def _given_id(row: Mapping[str, Any], where: str, counted: int) -> int:
    value = _text(row, ID_FIELD)
    if not value:
        return counted
    if not value.isdigit() or not 0 < int(value) <= 32767:
        raise SlagsegError(
            f"{where}: the id '{value}' is not a whole number from 1 to 32767 (0 is the "
            f"phase named '{BACKGROUND_NAME}')."
        )
    return int(value)


def _csv_rows(path: Path) -> list[Row]:
    text = read_text(path, "the legend")
    first = text.partition("\n")[0]
    semicolons = ";" in first and "," not in first
    # a field with a stray quote would swallow the rest of the file: strict says so
    reader = csv.reader(text_io.StringIO(text), delimiter=";" if semicolons else ",", strict=True)
    rows: list[Row] = []
    names: list[str] = []
    try:
        for cells in reader:
            if not names:
                names = [cell.strip().lower() for cell in cells]
                _check_header(names, path)
            elif any(cell.strip() for cell in cells):
                rows.append(_csv_row(path, reader.line_num, names, cells, semicolons))
    except csv.Error as error:
        raise SlagsegError(f"{path}, line {reader.line_num}: {error}.") from error
    if not names:
        _check_header([], path)
    return rows


def _csv_row(path: Path, line: int, names: list[str], cells: list[str], decimal_comma: bool) -> Row:
    where = f"{path}, line {line}"
    if len(cells) > len(names):
        raise SlagsegError(
            f"{where}: {len(cells)} values, but the header names {len(names)}. Put a value that "
            'holds a comma in "quotes".'
        )
    row = dict(zip(names, cells))
    if decimal_comma and "density_g_cm3" in row:
        row["density_g_cm3"] = row["density_g_cm3"].replace(",", ".")
    return where, row


def _check_header(names: list[str], path: Path) -> None:
    unknown = [name for name in names if name not in (*HEADER, ID_FIELD)]
    if "phase" not in names or unknown or len(set(names)) < len(names):
        raise SlagsegError(
            f"{path} is not a legend: its first line must be '{','.join(HEADER)}' "
            f"(colour as #rrggbb; only the first two need values, and no colour at all where the "
            f"maps are rasters of ids), but it is "
            f"'{','.join(names)[:120]}'."
        )


def _read_json(path: Path) -> PhaseTable:
    content = read_json(path, "the legend")
    listed = content.get("phases", content) if isinstance(content, dict) else content
    if isinstance(listed, list) and all(isinstance(row, dict) for row in listed):
        for i, row in enumerate(listed):
            unknown = [key for key in row if key not in (*HEADER, ID_FIELD)]
            if unknown:
                raise SlagsegError(
                    f"{path}, entry {i + 1}: unknown field '{unknown[0]}'. The fields are "
                    f"{', '.join(HEADER)}."
                )
        return _table([(f"{path}, entry {i + 1}", row) for i, row in enumerate(listed)], path)
    if _is_tima(listed):
        return _tima(listed.items(), path)
    raise SlagsegError(
        f"{path} is not a legend: give a list of objects with the fields {', '.join(HEADER)}."
    )


def _is_tima(listed: Any) -> bool:
    return (
        isinstance(listed, dict)
        and bool(listed)
        and all(k.isdigit() and isinstance(v, dict) and "name" in v for k, v in listed.items())
    )


def _tima(entries: Iterable[tuple[str, Mapping[str, Any]]], path: Path) -> PhaseTable:
    """TESCAN TIMA's list: vendor id -> name, colour, mass per cent.

    Ids are the vendor's. 0 stands for what is not classified: the resin outside
    the particles, and unknown pixels inside, which only the vendor's mask tells
    apart (see `read_mineral_map`).
    """
    phases = [Phase(BACKGROUND, BACKGROUND_NAME, _BACKGROUND_COLOUR)]
    names = {BACKGROUND_NAME}
    for key, entry in entries:
        name = str(entry["name"]).strip()
        if int(key) == BACKGROUND or "unclassified" in name.lower():
            continue
        colour = str(entry.get("color") or entry.get("colour") or _BACKGROUND_COLOUR).lower()
        unique = name if name and name not in names else f"{name or 'phase'} ({key})"
        names.add(unique)
        phases.append(Phase(int(key), unique, colour, symbol_of(name)))
    try:
        return PhaseTable(tuple(phases))
    except SlagsegError as error:
        raise SlagsegError(f"{path}: {error}") from error


def legend_rows(table: PhaseTable) -> list[dict[str, Any]]:
    """Rows of a legend, in order of id; with the field ``id`` only where it is needed."""
    counted = table.ids == tuple(range(len(table)))
    return [
        {
            "colour": phase.colour,
            "phase": phase.name,
            "symbol": phase.symbol,
            "formula": phase.formula,
            "density_g_cm3": phase.density_g_cm3,
            "group": phase.group,
            **({} if counted else {ID_FIELD: phase.id}),
        }
        for phase in table
    ]


def write_legend(table: PhaseTable, path: str | Path) -> None:
    """Write a phase table as CSV or JSON, by the suffix; atomically.

    Where the ids have gaps (a vendor's), the further field ``id`` keeps them.
    The target is not part of a legend.

    Raises
    ------
    SlagsegError
        If the phase with id 0 is not called ``background`` (it could not be read
        back), or the place cannot be written to.
    """
    path = Path(path)
    if table.by_id(BACKGROUND).name.lower() != BACKGROUND_NAME:
        raise SlagsegError(
            f"{path}: phase 0 is called '{table.by_id(BACKGROUND).name}'; a legend knows it by the "
            f"name '{BACKGROUND_NAME}'."
        )
    rows = legend_rows(table)
    if path.suffix.lower() == ".json":
        write_json(path, {"phases": rows})
        return
    buffer = text_io.StringIO()
    writer = csv.DictWriter(buffer, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows({k: "" if v is None else v for k, v in row.items()} for row in rows)
    write_text(path, buffer.getvalue())


__all__ = ["BACKGROUND_NAME", "HEADER", "legend_rows", "read_legend", "write_legend"]
