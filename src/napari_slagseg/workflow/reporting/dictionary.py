"""The data dictionary: unit, meaning and source of every column of every table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from napari_slagseg.data import ColumnDefinition, ParticleTable
from napari_slagseg.workflow.reporting.frame_columns import definition
from napari_slagseg.workflow.reporting.iso_terms import iso_term
from napari_slagseg.workflow.reporting.long_tables import contact_columns, grain_columns

Meanings = dict[str, dict[str, ColumnDefinition]]


def dictionary_of(
    tables: Mapping[str, ParticleTable], frames: Mapping[str, pd.DataFrame]
) -> Meanings:
    """Definitions of every column, by table and column, in the order of the columns.

    Parameters
    ----------
    tables : mapping of name to ParticleTable
        With their contacts and grains, which are the tables ``<name>_contacts`` and
        ``<name>_grains``.
    frames : mapping of name to DataFrame
        Tables of results.

    Returns
    -------
    meanings : dict of table name to dict of column name to ColumnDefinition
        A column that nothing is known of has an empty unit and meaning.
    """
    found: Meanings = {}
    for name, table in tables.items():
        found[name] = {str(c): table.definitions[str(c)] for c in table.frame.columns}
        found[f"{name}_contacts"] = contact_columns(table.dimension)
        if table.dimension == 3:
            found[f"{name}_grains"] = grain_columns()
    for name, frame in frames.items():
        found[name] = {
            str(c): definition(name, str(c)) or ColumnDefinition("", "") for c in frame.columns
        }
    return found


def dimension_of(table: str) -> int:
    """2 for tables of sections, 3 for all others."""
    return 2 if table.partition("_contacts")[0] in ("sections", "map_sections") else 3


def dictionary_json(meanings: Meanings) -> dict[str, Any]:
    """Dictionary as JSON values, with the terms of ISO 9276-6 where they apply."""
    return {
        "kind": "slagseg data dictionary",
        "format": 1,
        "tables": {
            table: {
                column: {
                    "unit": meant.unit,
                    "meaning": meant.meaning,
                    "source": meant.source,
                    "iso_9276_6": iso_term(column, dimension_of(table)),
                }
                for column, meant in columns.items()
            }
            for table, columns in meanings.items()
        },
    }


__all__ = ["Meanings", "dictionary_json", "dictionary_of", "dimension_of"]
