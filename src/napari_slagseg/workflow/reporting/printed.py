"""Tables as they are printed: values with their intervals, samples side by side."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

ESTIMATE = ("value", "low", "high")

SHARES = frozenset(
    {
        "modal",
        "assay",
        "element_distribution",
        "liberation_classes",
        "liberation_groups",
        "size_by_liberation",
        "association",
        "locking",
        "locking_partners",
        "density_classes",
        "grade_recovery",
        "stereology_distribution",
    }
)
"""Tables whose values are shares; they are printed in per cent."""

SIDE_BY_SIDE = {
    "size_percentiles": "percentile",
    "association": "partner",
    "density_classes": "quantity",
    "needed_particles": "precision",
    "border_handling": "border",
    "stereology_bias": "measure",
    "stereology_distribution": "curve",
}
"""Columns whose values stand side by side as columns; of other tables it is ``sample``."""

ONLY = {
    "size_percentiles": ("size", ("equivalent_diameter_um",)),
    "stereology_bias": ("measure", ("3D", "2D", "ratio")),
}
"""Tables of which a part is printed: the rows with one of these values in a column."""

LEFT_OUT = {
    "liberation_classes": ("lower", "upper"),
    "association": ("is_target",),
    "density_classes": ("sink", "sink_low", "sink_high"),
    "size_percentiles": ("size",),
    "needed_particles": ("n_particles", "low", "high"),
}
"""Columns that are not printed, as others say it already or they are for figures."""

_SHARE_COLUMNS = ("share", "recovery", "grade", "fraction", "yield", "precision", "IoU")

WORDS = {
    "sample": "sample",
    "by": "by",
    "liberation_class": "class",
    "n_particles": "N",
    "lower_um": "from (µm)",
    "upper_um": "to (µm)",
    "target_share": "share of the target",
}
"""Headings of columns whose names a reader would stumble over."""

UNITS = {"um": "µm", "um^2": "µm²", "um^3": "µm³", "g/cm^3": "g/cm³", "ug": "µg"}

EMPTY = "–"


@dataclass(frozen=True)
class PrintedTable:
    """Texts of a table, and which of its columns hold numbers."""

    header: list[str]
    rows: list[list[str]]
    numeric: list[bool]


def printed(name: str, frame: pd.DataFrame) -> PrintedTable:
    """Table for the page.

    ``value``, ``low`` and ``high`` become one text, and samples (or what `SIDE_BY_SIDE` says)
    get columns of their own.

    Parameters
    ----------
    name : str
        Of the table, which says whether its values are shares and how it is laid out.
    frame : DataFrame
    """
    if name in ONLY:
        column, kept = ONLY[name]
        frame = frame[frame[column].isin(kept)]
    frame = frame.reset_index(drop=True)
    if "value" not in frame:
        return _plain(frame)
    unit = frame["unit"] if "unit" in frame else pd.Series([""] * len(frame))
    percent = [name in SHARES or u == "share" for u in unit]
    ends = [frame[c] if c in frame else frame["value"] * np.nan for c in ("low", "high")]
    if "low" in LEFT_OUT.get(name, ()):
        ends = [frame["value"] * np.nan] * 2
    values = [_estimate(*row) for row in zip(frame["value"], *ends, percent)]
    dropped = {*ESTIMATE, *LEFT_OUT.get(name, ())}
    rest = [str(c) for c in frame.columns if c not in dropped]
    if "unit" in rest:
        frame = frame.assign(unit=["%" if p else u for p, u in zip(percent, unit)])
    texts = pd.DataFrame({c: _column(c, frame[c]) for c in rest})
    across = SIDE_BY_SIDE.get(name, "sample")
    if across not in rest or frame[across].nunique() < 2:
        shown = [c for c in rest if c != "sample"]
        header = [*(_heading(c) for c in shown), "value"]
        rows = [[*row, value] for row, value in zip(texts[shown].to_numpy().tolist(), values)]
        return PrintedTable(header, rows, [*(_is_number(frame[c]) for c in shown), True])
    if "sample" in rest and frame["sample"].nunique() < 2:
        rest = [c for c in rest if c != "sample"]
    return _side_by_side(frame, texts, values, [c for c in rest if c != across], across)


def _side_by_side(
    frame: pd.DataFrame, texts: pd.DataFrame, values: list[str], rest: list[str], across: str
) -> PrintedTable:
    """Each sample in a column of its own; counts, which differ by sample, are in the CSV only."""
    keys = [c for c in rest if not c.startswith("n_") and c not in ("n", "target_share")]
    groups = list(dict.fromkeys(texts[across]))
    if across == "partner":
        phases = list(dict.fromkeys(texts["phase"]))
        groups = [g for g in phases if g in groups] + [g for g in groups if g not in phases]
    rows: dict[tuple[str, ...], dict[str, str]] = {}
    for group, value, *key in zip(texts[across], values, *(texts[c] for c in keys)):
        rows.setdefault(tuple(key), {})[group] = value
    body = [
        [*key, *(cells.get(g, EMPTY) for g in groups)]
        for key, cells in rows.items()
        # what was not measured for a sample is among the warnings
        if set(cells.values()) != {EMPTY}
    ]
    numeric = [_is_number(frame[c]) for c in keys] + [True] * len(groups)
    return PrintedTable([*(_heading(c) for c in keys), *groups], body, numeric)


def _plain(frame: pd.DataFrame) -> PrintedTable:
    texts = [_column(str(c), frame[c]) for c in frame.columns]
    rows = [list(row) for row in zip(*texts)] if texts else []
    return PrintedTable(
        [_heading(str(c)) for c in frame.columns], rows, [_is_number(frame[c]) for c in frame]
    )


def _heading(column: str) -> str:
    words = WORDS.get(column, column.replace("_", " "))
    for ending, sign in ((" um", "µm"), (" um2", "µm²"), (" g cm3", "g/cm³")):
        if words.endswith(ending):
            return f"{words.removesuffix(ending)} ({sign})"
    return words


def _is_number(column: pd.Series[Any]) -> bool:
    return pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)


def _column(name: str, column: pd.Series[Any]) -> list[str]:
    if name in ("by", "size"):
        return [_heading(str(value)) for value in column]
    if name == "unit":
        return [UNITS.get(str(value), str(value)) for value in column]
    percent = any(word in name for word in _SHARE_COLUMNS)
    return [_text(value, percent) for value in column]


def _text(value: Any, percent: bool = False) -> str:
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    if isinstance(value, (int, np.integer)):
        return f"{int(value):,}"
    if isinstance(value, (float, np.floating)):
        return number(float(value), percent)
    return EMPTY if value is None or value is pd.NA else str(value)


def number(value: float, percent: bool = False) -> str:
    """Number for people: about three digits, or per cent with one decimal."""
    if math.isnan(value):
        return EMPTY
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if percent:
        return f"{100 * value:.1f} %"
    if value == round(value) and abs(value) < 1e15:
        return f"{value:,.0f}"
    size = abs(value)
    if size < 1:
        return f"{value:.3g}"
    return f"{value:,.{0 if size >= 1000 else 1 if size >= 10 else 2}f}"


def _estimate(value: float, low: float, high: float, percent: bool) -> str:
    text = number(float(value), percent)
    if math.isnan(value) or math.isnan(low) or math.isnan(high):
        return text
    ends = f"{number(float(low), percent)} to {number(float(high), percent)}"
    return f"{text} ({ends.replace(' % to', ' to')})"


def printed_pairs(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Names and values of a mapping as texts; nested mappings by their keys."""
    found: list[tuple[str, str]] = []
    for name, value in values.items():
        if isinstance(value, Mapping):
            found += [(f"{name}, {inner}", text) for inner, text in printed_pairs(value)]
        elif isinstance(value, (list, tuple)):
            found.append((name, ", ".join(_text(v) for v in value) or EMPTY))
        else:
            found.append((name, _text(value)))
    return found


__all__ = ["EMPTY", "SHARES", "PrintedTable", "number", "printed", "printed_pairs"]
