"""Making a project folder from a CT, its maps and their legend."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import napari_slagseg
from napari_slagseg import io
from napari_slagseg.data import MineralMap, SlagsegError
from napari_slagseg.project.description import CtEntry, MapEntry, ProjectDescription
from napari_slagseg.project.journal import Journal, now
from napari_slagseg.project.stamps import stamp


def create_project(
    folder: str | Path,
    *,
    ct: str | Path,
    maps: Sequence[str | Path],
    legend: str | Path,
    pixel_size_um: float,
    target: str,
    voxel_size_um: float | Sequence[float] | None = None,
    raw: io.RawLayout | None = None,
) -> None:
    """Make a project; everything is read and checked before anything is written.

    Parameters
    ----------
    folder : path
        Must not exist, or be empty.
    ct : path
        CT volume; referred to, not copied.
    maps : sequence of path
        False-colour images or rasters; their phase ids are copied in.
    legend : path
        Phase table (CSV or JSON).
    pixel_size_um : float
        Of the maps.
    target : str
        Name of the target phase.
    voxel_size_um : float, (z, y, x) or None
        None takes it from the CT's metadata.
    raw : RawLayout or None
        Layout of a headerless CT file.
    """
    folder = Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise SlagsegError(
            f"{folder} exists already and is not empty. Choose another name for the new "
            "project, or open the one that is there."
        )
    if not maps:
        raise SlagsegError("A project needs at least one mineral map (--map FILE).")
    size = tuple(voxel_size_um) if isinstance(voxel_size_um, Sequence) else voxel_size_um
    volume = io.read_volume(ct, size, raw=raw)
    io.check_zarr_volume(volume.data)
    table = io.read_legend(legend, target=target)
    taken: set[str] = set()
    loaded: list[MineralMap] = []
    for path in maps:
        name = _safe_name(Path(path).stem, taken)
        taken.add(name)
        loaded.append(io.read_mineral_map(path, table, pixel_size_um, name=name))
    ct_path = Path(ct).resolve()
    description = ProjectDescription(
        software=f"napari-slagseg {napari_slagseg.__version__}",
        created=now(),
        name=folder.resolve().name,
        ct=CtEntry(
            path=str(ct_path),
            relative=_relative(ct_path, folder.resolve()),
            fingerprint=io.fingerprint(ct_path),
            stamp=stamp(ct_path),
            shape=volume.shape,
            dtype=str(volume.data.dtype),
            voxel_size_um=volume.voxel_size_um,
            raw=None if raw is None else dict(vars(raw)),
        ),
        maps=tuple(
            MapEntry(
                name=m.name,
                source=str(Path(path).resolve()),
                fingerprint=io.fingerprint(path),
                pixel_size_um=m.pixel_size_um,
                shape=m.shape,
                unmatched_fraction=m.unmatched_fraction,
            )
            for m, path in zip(loaded, maps)
        ),
        target=table.by_name(target).name,
    )
    with _new_folder(folder):
        io.write_legend(table, folder / "phases.json")
        for m in loaded:
            io.write_zarr_arrays(folder / "maps" / f"{m.name}.zarr", {"phases": m.phases})
        journal = Journal(folder / "journal.jsonl")
        journal.append("created", ct=str(ct_path), maps=[m.name for m in loaded])
        # last, so that a folder with a project.json is a whole project
        io.write_json(folder / "project.json", description.model_dump(mode="json"))


def _safe_name(stem: str, taken: set[str]) -> str:
    name = re.sub(r"[^A-Za-z0-9_-]+", "_", stem).strip("_") or "map"
    unique, i = name, 2
    while unique in taken:
        unique, i = f"{name}_{i}", i + 1
    return unique


@contextmanager
def _new_folder(folder: Path) -> Iterator[None]:
    """Make a folder to fill; what was put in is removed again if that fails."""
    was_there = folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SlagsegError(
            f"The project folder {folder} cannot be made: {error.strerror or error}."
        ) from error
    try:
        yield
    except BaseException as error:
        shutil.rmtree(folder, ignore_errors=True)
        if was_there:
            folder.mkdir(exist_ok=True)
        if isinstance(error, OSError):
            raise io.write_error(folder, error) from error
        raise


def _relative(path: Path, folder: Path) -> str:
    try:
        return os.path.relpath(path, folder)
    except ValueError:  # another drive
        return str(path)


__all__ = ["create_project"]
