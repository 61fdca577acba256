"""Tables as CSV, with a JSON sidecar that says what every column means."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from napari_slagseg.data import (
    ColumnDefinition,
    ParticleTable,
    Phase,
    PhaseTable,
    SlagsegError,
)
from napari_slagseg.io.atomic import atomic_file, read_json, require_file, write_json

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_FORMULA_STARTS = ("=", "+", "-", "@")


def _harmless(value: Any) -> Any:
    """Text that a spreadsheet would run as a formula gets an apostrophe in front."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA_STARTS) else value


def write_frame(path: str | Path, frame: pd.DataFrame) -> None:
    """Write a table as CSV, atomically; NaN becomes an empty cell."""
    text = [c for c in frame.columns if not pd.api.types.is_numeric_dtype(frame[c])]
    if text:
        frame = frame.assign(**{c: frame[c].map(_harmless) for c in text})
    frame = frame.rename(columns=_harmless)
    with atomic_file(path) as temporary:
        frame.to_csv(temporary, index=False, lineterminator="\n")


def write_particle_table(
    table: ParticleTable, csv_path: str | Path, provenance: Mapping[str, Any] | None = None
) -> None:
    """Write a particle table as CSV and its sidecar of the same stem as JSON.

    The sidecar is written first, so a CSV never stands without its meaning.
    """
    csv_path = Path(csv_path)
    write_json(
        csv_path.with_suffix(".json"),
        {
            "dimension": table.dimension,
            "voxel_size_um": list(table.voxel_size_um),
            "target": table.table.target,
            "columns": {
                name: {"unit": d.unit, "meaning": d.meaning, "source": d.source}
                for name, d in table.definitions.items()
            },
            "phases": [dict(vars(phase)) for phase in table.table],
            "notes": dict(table.notes),
            "provenance": dict(provenance or {}),
        },
    )
    write_frame(csv_path, table.frame)


def read_particle_table(csv_path: str | Path) -> ParticleTable:
    """Read a particle table and its sidecar."""
    csv_path = Path(csv_path)
    require_file(csv_path, "the particle table")
    sidecar = read_json(csv_path.with_suffix(".json"), "the definitions of the particle table")
    try:
        frame = pd.read_csv(csv_path)
        if frame["touches_border"].dtype != bool:
            frame["touches_border"] = frame["touches_border"].astype(str).isin(("True", "1"))
        z, y, x = sidecar["voxel_size_um"]
        return ParticleTable(
            frame=frame,
            definitions={k: ColumnDefinition(**v) for k, v in sidecar["columns"].items()},
            voxel_size_um=(float(z), float(y), float(x)),
            table=PhaseTable(tuple(Phase(**p) for p in sidecar["phases"]), sidecar["target"]),
            dimension=int(sidecar["dimension"]),
            notes=sidecar["notes"],
        )
    except (KeyError, TypeError, ValueError, pd.errors.ParserError) as error:
        if isinstance(error, SlagsegError):
            raise
        raise SlagsegError(f"{csv_path} is damaged ({error}). Run 'measure' again.") from error


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


__all__ = ["read_particle_table", "write_figure", "write_frame", "write_particle_table"]
