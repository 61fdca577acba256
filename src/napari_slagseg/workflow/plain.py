"""The steps on plain files, without a project."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_slagseg import io
from napari_slagseg.data import (
    BACKGROUND,
    CancelToken,
    GreyMap,
    MineralMap,
    ParticleTable,
    Phase,
    PhaseTable,
    PlacedMap,
    Progress,
    ProgressEvent,
    SlagsegError,
    checked_voxel_size,
    no_progress,
)
from napari_slagseg.workflow.configs import RegisterConfig, SegmentConfig
from napari_slagseg.workflow.marker_threshold import noted_threshold
from napari_slagseg.workflow.placing import (
    check_fit,
    check_hints,
    check_landmarks_of,
    correlator_for,
    hints_for,
    kept_with,
    landmarks_of,
    settings_for,
)
from napari_slagseg.workflow.segment import segment_volume, table_from_json, table_to_json
from napari_slagseg.workflow.step import installed_versions

# an Okabe-Ito colour each, so that a table made of ids alone can be drawn
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#f0e442")


def place_files(
    ct: str | Path,
    map_file: str | Path,
    *,
    legend: str | Path | None = None,
    grey: bool = False,
    mask: str | Path | None = None,
    pixel_size_um: float,
    out: str | Path,
    coordinates: str | Path | None = None,
    voxel_size_um: float | Sequence[float] | None = None,
    raw: io.RawLayout | None = None,
    landmarks: str | Path | None = None,
    config: RegisterConfig | None = None,
    progress: Progress = no_progress,
    cancel: CancelToken | None = None,
) -> PlacedMap:
    """Place one mineral map in a CT and write where it lies.

    The result is that of the `register` step on a project of these files.

    Parameters
    ----------
    ct, map_file : path
    legend : path or None
        Phases of a mineral map.
    grey : bool
        The map is a grey image, such as BSE; it has no legend.
    mask : path or None
        Image of the map's size, zero where the map shows no sample.
    pixel_size_um : float
        Of the map.
    out : path
        JSON with cutouts and surface; written for a refused map, too. With
        ``config.start="here"`` it is also where the fit begins.
    coordinates : path or None
        NPY with the CT (z, y, x) of every map pixel, float32 (rows, columns, 3),
        NaN where not placed.
    voxel_size_um : float, (z, y, x) or None
        None takes it from the CT's metadata.
    raw : RawLayout or None
        Layout of a headerless CT.
    landmarks : path or None
        See `io.read_landmarks`; the map's name there is the stem of `map_file`.
    config : RegisterConfig or None

    Returns
    -------
    PlacedMap
        Look at `placed`: a map that could not be placed is no error.
    """
    from napari_slagseg.registration import place_map

    chosen = config or RegisterConfig()
    volume = io.read_volume(ct, voxel_size_um, raw=raw)
    mineral_map = _read_map(map_file, legend, grey, pixel_size_um, mask)
    pairs = None
    if landmarks is not None:
        pairs = landmarks_of(io.read_landmarks(landmarks), landmarks, mineral_map.name)
        check_landmarks_of(landmarks, pairs, mineral_map, volume.shape)
    previous = None
    if chosen.start == "here":
        if not Path(out).is_file():
            raise SlagsegError(
                f"{out} does not exist, so there is no placement to start from. Place the map "
                "without that option first."
            )
        previous = io.read_placed_map(out)
    check_fit(volume.shape, volume.voxel_size_um, mineral_map, chosen)
    check_hints(chosen, mineral_map, volume.shape, pairs, previous)
    found = place_map(
        volume,
        mineral_map,
        settings=settings_for(chosen),
        correlator=correlator_for(chosen),
        seed=chosen.seed,
        progress=progress,
        cancel=cancel,
        **vars(hints_for(chosen, pairs, previous)),
    )
    placed = kept_with(found, previous, chosen)
    if coordinates is not None:
        with io.atomic_file(coordinates) as temporary, temporary.open("wb") as file:
            np.save(file, placed.coordinates(), allow_pickle=False)
    io.write_placed_map(placed, out)
    return placed


def _read_map(
    path: str | Path,
    legend: str | Path | None,
    grey: bool,
    pixel_size_um: float,
    mask: str | Path | None,
) -> MineralMap | GreyMap:
    if grey == (legend is not None):
        raise SlagsegError(
            f"Give either the legend of mineral map {path} (--legend FILE), or say that it is a "
            "grey image (--grey)."
        )
    if legend is None:
        return io.read_grey_map(path, pixel_size_um, mask=mask)
    return io.read_mineral_map(path, io.read_legend(legend), pixel_size_um, mask=mask)


def model_path(path: str | Path) -> Path:
    """Weights or run folder behind a path: itself, or its latest trained run.

    Raises
    ------
    SlagsegError
        If there is nothing that could be a network.
    """
    path = Path(path)
    if not path.exists():
        raise SlagsegError(f"{path} does not exist. Give a weights file or a training run.")
    if path.is_file() or (path / "weights.safetensors").is_file():
        return path
    runs = [
        folder
        for folder in path.glob("run_*")
        if folder.name[4:].isdigit() and (folder / "weights.safetensors").is_file()
    ]
    if not runs:
        raise SlagsegError(
            f"{path} holds no trained network. Give a weights file (weights.safetensors), the "
            "folder of a training run, or PROJECT/models/phase or PROJECT/models/particle."
        )
    return max(runs, key=lambda folder: int(folder.name[4:]))


def predict_files(
    ct: str | Path,
    *,
    phase_model: str | Path,
    particle_model: str | Path,
    out: str | Path,
    voxel_size_um: float | Sequence[float] | None = None,
    raw: io.RawLayout | None = None,
    config: SegmentConfig | None = None,
    progress: Progress = no_progress,
    cancel: CancelToken | None = None,
) -> dict[str, Any]:
    """Segment a CT and store ``phases`` (uint8) and ``particles`` (uint32) in one Zarr.

    Parameters
    ----------
    ct : path
    phase_model, particle_model : path
        See `model_path`.
    out : path
        Zarr store; appears whole or not at all.
    voxel_size_um : float, (z, y, x) or None
        None takes it from the file, and where the file states none, that of the
        phase network's training volume; `warnings` then says so.
    raw : RawLayout or None
    config : SegmentConfig or None
        Without a threshold, the one is taken that was chosen in the project of the
        particle network, else 0.5.

    Returns
    -------
    dict
        ``out``, ``particles`` (their number), ``threshold``, ``volume_shares`` by
        phase, ``voxel_size_um``, ``warnings``.
    """
    from napari_slagseg.networks import load_network

    phase = load_network(model_path(phase_model))
    particle_path = model_path(particle_model)
    particle = load_network(particle_path)
    chosen = config or SegmentConfig()
    if chosen.threshold is None:
        chosen = chosen.model_copy(update={"threshold": noted_threshold(particle_path)})
    warnings: list[str] = []
    size = voxel_size_um if voxel_size_um is not None else io.stored_voxel_size(ct)
    if size is None:
        size = phase.card.voxel_size_um
        warnings.append(
            f"{ct} states no voxel size; that of the networks is taken ({size[0]:g} um)."
        )
    volume = io.read_volume(ct, size, raw=raw)
    segmented = segment_volume(volume, phase, particle, chosen, progress, cancel)
    phases, separation = segmented.phases, segmented.separation
    table = phase.card.table
    progress(ProgressEvent("storing the segmentation", 0.97))
    io.write_zarr_arrays(
        out,
        {"phases": phases, "particles": separation.particles},
        voxel_size_um=volume.voxel_size_um,
        attributes={
            "phase_table": table_to_json(table),
            "threshold": segmented.choice.threshold,
        },
    )
    counts = np.bincount(phases.reshape(-1), minlength=max(table.ids) + 1)
    return {
        "out": str(out),
        "particles": int(separation.particles.max(initial=0)),
        "threshold": segmented.choice.threshold,
        "volume_shares": {p.name: float(counts[p.id] / phases.size) for p in table if p.id > 0},
        "voxel_size_um": volume.voxel_size_um,
        "warnings": warnings,
    }


def _table_of_ids(phases: NDArray[Any], target: str, path: str | Path) -> PhaseTable:
    """Table whose phases are named by their ids; `path` is where they come from."""
    ids = sorted({int(i) for i in np.unique(phases)} - {-1, BACKGROUND})
    if not target.isdecimal():
        raise SlagsegError(
            f"The target '{target}' is a name, but without a legend phases have only ids. "
            "Give --legend, or the id."
        )
    if int(target) not in ids:
        raise SlagsegError(
            f"Target phase {target} does not occur in {path}; it has the ids "
            f"{', '.join(map(str, [BACKGROUND, *ids]))}. The background cannot be the target."
        )
    coloured = [Phase(i, str(i), _COLOURS[n % len(_COLOURS)]) for n, i in enumerate(ids)]
    return PhaseTable((Phase(BACKGROUND, "background", "#000000"), *coloured), str(int(target)))


def _stated_table(path: Path) -> PhaseTable | None:
    """Phase table that a segmentation of ours carries; None for other files."""
    for store in (path, path.parent):
        if store.suffix == ".zarr" and store.is_dir():
            values = io.read_zarr_attributes(store).get("phase_table")
            return None if values is None else table_from_json(values)
    return None


def _table_of_legend(legend: str | Path, target: str, phases: Path) -> PhaseTable:
    """Legend's table with the target; its groups, where the phases hold those."""
    table = io.read_legend(legend)
    if target in table.names or not target.isdecimal():
        table = table.with_target(target)
    stated = _stated_table(phases)
    if stated is not None and stated.names != table.names:
        if table.target is None:
            table = table.with_target(stated.target)
        grouped = table.grouped()[0]
        if grouped.names != stated.names:
            raise SlagsegError(
                f"{phases} holds the phases {', '.join(stated.names)}, but the legend {legend} "
                f"has {', '.join(table.names)}. Give the legend it was trained with, or none."
            )
        table = grouped
    if target.isdecimal() and target not in table.names:
        table = table.with_target(table.by_id(int(target)).name)
    return table


def describe_files(
    particles: str | Path,
    phases: str | Path,
    *,
    target: str,
    out: str | Path,
    voxel_size_um: float | Sequence[float] | None = None,
    legend: str | Path | None = None,
    section_axis: int | None = None,
    sections: int = 0,
    erosion_voxels: int = 0,
    progress: Progress = no_progress,
    cancel: CancelToken | None = None,
) -> ParticleTable:
    """Measure labelled particles and write the table.

    Parameters
    ----------
    particles, phases : path
        Integer arrays of one shape; two 2-D arrays are measured as a mineral map.
    target : str
        Id of the target phase, or its name where there is a legend.
    out : path
        CSV; its sidecar has the same stem.
    voxel_size_um : float, (z, y, x) or None
        None takes it from the particles' file.
    legend : path or None
        Names of the phases; None names them by their ids.
    section_axis : {0, 1, 2} or None
        Measure sections normal to this axis instead of whole particles.
    sections : int
        Number of evenly spaced sections; 0 takes every slice.
    erosion_voxels : int
        For the second surface liberation (K 3.3).
    """
    from napari_slagseg import descriptors

    out = Path(out)
    if out.suffix.lower() != ".csv":
        raise SlagsegError(f"The table {out} must end in .csv; its definitions get .json.")
    size: Any = voxel_size_um if voxel_size_um is not None else io.stored_voxel_size(particles)
    if size is None:
        raise SlagsegError(
            f"{particles} states no voxel size. Give it in micrometres: --voxel-size 5, or "
            "--voxel-size Z,Y,X."
        )
    spacing = checked_voxel_size(size if isinstance(size, (int, float)) else tuple(size))
    labels = io.read_labels(particles, what="particle labels")
    ids = io.read_labels(phases, what="phases")
    if labels.shape != ids.shape:
        raise SlagsegError(
            f"{particles} has the shape {labels.shape} and {phases} {ids.shape}; they must be of "
            "the same shape. Are they from the same segmentation?"
        )
    table = (
        _table_of_ids(ids, target, phases)
        if legend is None
        else _table_of_legend(legend, target, Path(phases))
    )
    if labels.ndim == 2 and ids.ndim == 2 and section_axis is None:
        if spacing[1] != spacing[2]:
            raise SlagsegError(f"A 2-D map needs square pixels; these are {spacing[1:]} um.")
        mineral_map = MineralMap(ids.astype(np.int16), spacing[1], table, Path(phases).stem)
        found = descriptors.describe_map(mineral_map, table, labels, erosion_voxels=erosion_voxels)
    elif section_axis is None:
        found = descriptors.describe_particles(
            labels,
            ids,
            spacing,
            table,
            erosion_voxels=erosion_voxels,
            progress=progress,
            cancel=cancel,
        )
    else:
        length = labels.shape[section_axis] if labels.ndim == 3 else 0
        every = sections == 0 or sections >= length
        planes = range(length) if every else descriptors.evenly_spaced(length, sections)
        found = descriptors.describe_sections(
            labels,
            ids,
            spacing,
            table,
            axis=section_axis,
            indices=[int(i) for i in planes],
            erosion_voxels=erosion_voxels,
            progress=progress,
            cancel=cancel,
        )
    io.write_particle_table(
        found,
        out,
        provenance={
            "particles": {"path": str(particles), "sha256": _fingerprint(particles)},
            "phases": {"path": str(phases), "sha256": _fingerprint(phases)},
            "legend": None if legend is None else str(legend),
            "versions": installed_versions(),
        },
    )
    return found


def _fingerprint(path: str | Path) -> str | None:
    """Fingerprint of a file; an array inside a store is part of what its folder holds."""
    return io.fingerprint(path) if Path(path).exists() else None


def score_files(
    what: str, predicted: str | Path, truth: str | Path, *, out: str | Path | None = None
) -> dict[str, Any]:
    """Score one integer array against another; unknown voxels (-1) are left out.

    Parameters
    ----------
    what : {"particles", "phases"}
    predicted, truth : path
    out : path or None
        JSON file for the scores.

    Returns
    -------
    dict
        Particles: ``f1, f1_match, f1_instance, merger_ratio, splitter_ratio,
        n_reference, n_predicted``; phases: ``dice, accuracy, iou``. NaN where a
        score is not defined (null in the file).
    """
    from napari_slagseg.evaluation import score_particles, score_phases

    found = io.read_labels(predicted, what=f"predicted {what}")
    known = io.read_labels(truth, what=f"true {what}")
    if found.shape != known.shape:
        raise SlagsegError(
            f"{predicted} has the shape {found.shape} and {truth} {known.shape}; "
            "they must be of the same shape to be compared."
        )
    if what == "particles":
        scores = dict(score_particles(found, known))
    elif what == "phases":
        scores = dict(score_phases(found, known))
    else:
        raise SlagsegError(f"Nothing is known of scores for '{what}': particles or phases.")
    if out is not None:
        io.write_json(out, scores)
    return scores


__all__ = ["describe_files", "model_path", "place_files", "predict_files", "score_files"]
