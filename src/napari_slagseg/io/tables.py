"""Tables as CSV, with a JSON sidecar that says what every column means."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from napari_slagseg.data import (
    BACKGROUND,
    CONTACT_COLUMNS,
    GRAIN_COLUMNS,
    SECTION_CONTACT_COLUMNS,
    UNKNOWN,
    ColumnDefinition,
    ParticleTable,
    PhaseTable,
    SlagsegError,
)
from napari_slagseg.io.atomic import atomic_file
from napari_slagseg.io.formats import check_version, table_from_json, table_to_json
from napari_slagseg.io.guards import READ_FAULTS, unreadable
from napari_slagseg.io.text import read_json, require_file, write_json

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMAT = 1
# pandas reads every digit from 3.1 on, and warns of the option that asked for it before
_EVERY_DIGIT: dict[str, Any] = (
    {"float_precision": "round_trip"}
    if tuple(int(n) for n in pd.__version__.split(".")[:2]) < (3, 1)
    else {}
)
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def harmless(value: Any) -> Any:
    """Text that a spreadsheet would run as a formula gets an apostrophe in front.

    Numbers stay what they are, negative ones, too.
    """
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA_STARTS) else value


def harmless_frame(frame: pd.DataFrame) -> pd.DataFrame:
    """Table with `harmless` texts and column names."""
    text = [i for i, kind in enumerate(frame.dtypes) if not pd.api.types.is_numeric_dtype(kind)]
    if text:
        frame = frame.copy()
        for i in text:
            column = frame.iloc[:, i].astype(object).map(harmless)
            frame.isetitem(i, column.to_numpy(dtype=object))
    return frame.rename(columns=harmless)


def write_frame(path: str | Path, frame: pd.DataFrame) -> None:
    """Write a table as CSV, atomically; NaN becomes an empty cell."""
    with atomic_file(path) as temporary:
        harmless_frame(frame).to_csv(temporary, index=False, lineterminator="\n")


def read_frame(path: str | Path, what: str = "the table") -> pd.DataFrame:
    """Read a table that `write_frame` wrote; numbers to their last digit.

    Raises
    ------
    SlagsegError
        If it is missing or damaged.
    """
    path = Path(path)
    require_file(path, what)
    try:
        return pd.read_csv(path, **_EVERY_DIGIT)
    except READ_FAULTS as error:
        raise unreadable(path, "a table", error) from error


def write_particle_table(
    table: ParticleTable, csv_path: str | Path, provenance: Mapping[str, Any] | None = None
) -> None:
    """Write a particle table as CSV and its sidecar of the same stem as JSON.

    The sidecar is written first, so a CSV never stands without its meaning.

    Parameters
    ----------
    table : ParticleTable
    csv_path : path
        Ends in ``.csv``.
    provenance : mapping, optional
        What made the table (JSON values).

    Raises
    ------
    SlagsegError
        If a column is not defined, or the place cannot be written to.
    """
    csv_path = Path(csv_path)
    if csv_path.suffix.lower() == ".json":
        raise SlagsegError(f"{csv_path}: the table is CSV; its sidecar takes the ending .json.")
    undefined = [str(c) for c in table.frame.columns if c not in table.definitions]
    if undefined:
        raise SlagsegError(
            f"{csv_path}: the columns {', '.join(undefined)} have no definition (unit, meaning)."
        )
    write_json(
        csv_path.with_suffix(".json"),
        {
            "kind": "slagseg particle table",
            "format": FORMAT,
            "table": csv_path.name,
            "rows": len(table),
            "dimension": table.dimension,
            "voxel_size_um": list(table.voxel_size_um),
            "columns": {
                str(name): {
                    "unit": table.definitions[name].unit,
                    "meaning": table.definitions[name].meaning,
                    "source": table.definitions[name].source,
                }
                for name in table.frame.columns
            },
            **table_to_json(table.table),
            "notes": dict(table.notes),
            "targets": list(table.targets),
            "provenance": dict(provenance or {}),
        },
    )
    for name, frame in (("contacts", table.contacts), ("grains", table.grains)):
        if len(frame):
            write_frame(beside(csv_path, name), _with_names(frame, table.table))
        else:
            beside(csv_path, name).unlink(missing_ok=True)
    write_frame(csv_path, table.frame)


def remove_particle_table(csv_path: str | Path) -> None:
    """Remove a particle table and all that belongs to it; nothing where there is none."""
    csv_path = Path(csv_path)
    long = [beside(csv_path, name) for name in ("contacts", "grains")]
    for path in (csv_path, *long, csv_path.with_suffix(".json")):
        path.unlink(missing_ok=True)


def beside(csv_path: Path, name: str) -> Path:
    """Path of a long table that belongs to a particle table: ``particles_contacts.csv``."""
    return csv_path.with_name(f"{csv_path.stem}_{name}.csv")


def _with_names(frame: pd.DataFrame, table: PhaseTable) -> pd.DataFrame:
    """Long table with the names of its phases, for people."""
    names = {UNKNOWN: "no phase", **{phase.id: phase.name for phase in table}}
    words = {"phase": "phase_id", "partner": "partner_id"}
    named = {word: frame[ids].map(names) for word, ids in words.items() if ids in frame}
    if "partner" in named:
        named["partner"] = named["partner"].where(frame["partner_id"] != BACKGROUND, "outside")
    return frame.assign(**named)


def _long_table(csv_path: Path, name: str, columns: tuple[str, ...]) -> pd.DataFrame:
    """Long table that belongs to a particle table; empty where an older project has none."""
    path = beside(csv_path, name)
    if not path.exists():
        return pd.DataFrame(columns=columns)
    frame = read_frame(path, f"the {name} of the particles")
    missing = [column for column in columns if column not in frame]
    if missing:
        raise SlagsegError(f"{path} lacks the columns {', '.join(missing)}. Run 'measure' again.")
    return frame[list(columns)]


def read_particle_table(csv_path: str | Path) -> ParticleTable:
    """Read a particle table and its sidecar.

    Raises
    ------
    SlagsegError
        If one of the two is missing, damaged or of a newer format.
    """
    csv_path = Path(csv_path)
    require_file(csv_path, "the particle table")
    sidecar = read_json(csv_path.with_suffix(".json"), "the definitions of the particle table")
    try:
        check_version(sidecar, FORMAT, csv_path.with_suffix(".json"))
        frame = pd.read_csv(csv_path, **_EVERY_DIGIT)
        missing = [name for name in sidecar["columns"] if name not in frame.columns]
        if missing:
            raise SlagsegError(
                f"{csv_path} lacks the columns {', '.join(missing)}. Run 'measure' again."
            )
        if frame["touches_border"].dtype != bool:
            # spreadsheets write TRUE; an empty table has no type
            text = frame["touches_border"].astype(str).str.lower()
            frame["touches_border"] = text.isin(("true", "1"))
        z, y, x = sidecar["voxel_size_um"]
        return ParticleTable(
            frame=frame,
            definitions={k: ColumnDefinition(**v) for k, v in sidecar["columns"].items()},
            voxel_size_um=(float(z), float(y), float(x)),
            table=table_from_json(sidecar),
            dimension=int(sidecar["dimension"]),
            notes=sidecar["notes"],
            targets=tuple(sidecar.get("targets", ())),
            contacts=_long_table(
                csv_path,
                "contacts",
                CONTACT_COLUMNS if sidecar["dimension"] == 3 else SECTION_CONTACT_COLUMNS,
            ),
            grains=_long_table(csv_path, "grains", GRAIN_COLUMNS),
        )
    except SlagsegError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise SlagsegError(
            f"{csv_path} is damaged ({type(error).__name__} {error}). Run 'measure' again."
        ) from error


def write_figure(figure: Figure, path: str | Path, dpi: int = 150) -> None:
    """Save a matplotlib figure by the suffix of `path`, atomically.

    SVG ids are fixed, so the same data give the same file.
    """
    import matplotlib

    path = Path(path)
    kind = path.suffix[1:].lower()
    metadata = {"Date": None} if kind == "svg" else None
    with atomic_file(path) as temporary, matplotlib.rc_context({"svg.hashsalt": "slagseg"}):
        figure.savefig(temporary, format=kind, dpi=dpi, metadata=metadata)


__all__ = [
    "harmless_frame",
    "read_frame",
    "read_particle_table",
    "remove_particle_table",
    "write_figure",
    "write_frame",
    "write_particle_table",
]
