"""Phase tables: our CSV and JSON forms, and the TIMA vendor's JSON."""

from __future__ import annotations

import csv
import io as text_io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from napari_slagseg.data import BACKGROUND, Phase, PhaseTable, SlagsegError
from napari_slagseg.io.atomic import read_json, read_text, write_json, write_text

HEADER = ("colour", "phase", "symbol", "formula", "density_g_cm3", "group")
"""Columns of a legend; only the first two need values."""

BACKGROUND_NAME = "background"
_BACKGROUND_COLOUR = "#000000"


def _density(text: Any, where: str) -> float | None:
    if text is None or str(text).strip() == "":
        return None
    try:
        return float(text)
    except ValueError as error:
        raise SlagsegError(
            f"{where}: the density '{text}' is not a number. Write it in g/cm3 with a point, "
            "or leave it empty."
        ) from error


def _table(rows: Sequence[tuple[str, Mapping[str, Any]]], path: Path) -> PhaseTable:
    """Phases from rows; `background` is 0, the others 1, 2, ... in file order.

    A legend without a background gets one: nothing in a map matches it, but
    networks and tables need the class.
    """
    phases, number = [], 0
    for where, row in rows:
        name = str(row.get("phase") or "").strip()
        colour = str(row.get("colour") or "").strip().lower()
        if not name or not colour:
            raise SlagsegError(f"{where}: a phase needs a colour (#rrggbb) and a name.")
        is_background = name.lower() == BACKGROUND_NAME
        if not is_background:
            number += 1
        phases.append(
            Phase(
                id=BACKGROUND if is_background else number,
                name=BACKGROUND_NAME if is_background else name,
                colour=colour,
                symbol=str(row.get("symbol") or "").strip(),
                formula=str(row.get("formula") or "").strip(),
                density_g_cm3=_density(row.get("density_g_cm3"), where),
                group=str(row.get("group") or "").strip(),
            )
        )
    if number == 0:
        raise SlagsegError(f"{path} lists no phase beside the background.")
    if not any(phase.id == BACKGROUND for phase in phases):
        phases.append(Phase(BACKGROUND, BACKGROUND_NAME, _BACKGROUND_COLOUR))
    try:
        return PhaseTable(tuple(phases))
    except SlagsegError as error:
        raise SlagsegError(f"{path}: {error}") from error


def _read_csv(path: Path) -> PhaseTable:
    text = read_text(path, "the legend")
    reader = csv.DictReader(text_io.StringIO(text))
    names = [(name or "").strip().lower() for name in reader.fieldnames or []]
    if "colour" not in names or "phase" not in names:
        raise SlagsegError(
            f"{path} is not a legend: its first line must be '{','.join(HEADER)}' "
            f"(colour as #rrggbb; only the first two need values), but it is "
            f"'{','.join(names)[:120]}'."
        )
    reader.fieldnames = names
    rows = []
    for row in reader:
        if any(isinstance(value, str) and value.strip() for value in row.values()):
            rows.append((f"{path}, line {reader.line_num}", row))
    return _table(rows, path)


def _read_tima(content: Mapping[str, Any], path: Path) -> PhaseTable:
    """TESCAN TIMA's list: vendor id -> name, colour, mass per cent.

    Ids are the vendor's; those that are 0 or called unclassified mean that
    nothing is known, which is not background.
    """
    phases = [Phase(BACKGROUND, BACKGROUND_NAME, _BACKGROUND_COLOUR)]
    names = {BACKGROUND_NAME}
    for key, entry in content.items():
        name = str(entry.get("name", "")).strip()
        if int(key) == BACKGROUND or not name or "unclassified" in name.lower():
            continue
        colour = entry.get("colour") or entry.get("color") or _BACKGROUND_COLOUR
        unique = name if name not in names else f"{name} ({key})"
        names.add(unique)
        phases.append(Phase(int(key), unique, _hex(colour, f"{path}, phase {key}")))
    return PhaseTable(tuple(phases))


def _hex(colour: Any, where: str) -> str:
    if isinstance(colour, str):
        text = colour.strip().lower()
        return text if text.startswith("#") else f"#{text}"
    if isinstance(colour, (list, tuple)) and len(colour) >= 3:
        return "#{:02x}{:02x}{:02x}".format(*(int(c) for c in colour[:3]))
    if isinstance(colour, int):
        return f"#{colour & 0xFFFFFF:06x}"
    raise SlagsegError(f"{where}: the colour {colour!r} cannot be read.")


def read_legend(path: str | Path, target: str | None = None) -> PhaseTable:
    """Read a phase table.

    Parameters
    ----------
    path : path
        CSV with the header ``colour,phase,symbol,formula,density_g_cm3,group``;
        JSON with a list of objects of the same fields (or ``{"phases": [...]}``);
        or a TIMA phase list (JSON object by vendor id).
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
        content = read_json(path, "the legend")
        listed = content.get("phases") if isinstance(content, dict) else content
        if isinstance(listed, dict):
            content, listed = listed, None
        if isinstance(listed, list) and all(isinstance(row, dict) for row in listed):
            rows = [(f"{path}, entry {i + 1}", row) for i, row in enumerate(listed)]
            table = _table(rows, path)
        elif (
            isinstance(content, dict)
            and content
            and all(k.lstrip("-").isdigit() and isinstance(v, dict) for k, v in content.items())
        ):
            table = _read_tima(content, path)
        else:
            raise SlagsegError(
                f"{path} is not a legend: give a list of objects with the fields "
                f"{', '.join(HEADER)}."
            )
    else:
        table = _read_csv(path)
    return table if target is None else table.with_target(target)


def write_legend(table: PhaseTable, path: str | Path) -> None:
    """Write a phase table as CSV or JSON, by the suffix.

    Raises
    ------
    SlagsegError
        If the ids have gaps: the file form numbers phases by their order.
    """
    path = Path(path)
    rows = [
        {
            "colour": phase.colour,
            "phase": phase.name,
            "symbol": phase.symbol,
            "formula": phase.formula,
            "density_g_cm3": phase.density_g_cm3,
            "group": phase.group,
        }
        for phase in table
    ]
    if path.suffix.lower() == ".json":
        gaps = table.ids != tuple(range(len(table)))
        if gaps:  # the vendor's ids have to be kept: write them, by id
            write_json(
                path,
                {str(p.id): {"name": p.name, "colour": p.colour} for p in table if p.id},
            )
        else:
            write_json(path, {"phases": rows})
        return
    if table.ids != tuple(range(len(table))):
        raise SlagsegError(
            f"{path}: the phase ids {table.ids} have gaps, which a CSV legend cannot keep. "
            "Write it as JSON."
        )
    buffer = text_io.StringIO()
    writer = csv.DictWriter(buffer, HEADER, lineterminator="\n")
    writer.writeheader()
    writer.writerows({k: "" if v is None else v for k, v in row.items()} for row in rows)
    write_text(path, buffer.getvalue())


__all__ = ["BACKGROUND_NAME", "HEADER", "read_legend", "write_legend"]
