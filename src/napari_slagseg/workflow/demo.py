"""The whole job on a phantom, compared with the phantom's exact truth."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from napari_slagseg import io
from napari_slagseg.data import (
    CancelToken,
    ParticleTable,
    Progress,
    ProgressEvent,
    SlagsegError,
    no_progress,
)
from napari_slagseg.phantom import (
    DEMO_DEGRADATION,
    DEMO_PRESET,
    DEMO_SEED,
    Degradation,
    PhantomTruth,
    Preset,
    make_phantom,
    read_phantom_truth,
    write_phantom,
)
from napari_slagseg.project import Project
from napari_slagseg.workflow.configs import (
    QUICK_TRAINING,
    AnnotateConfig,
    SegmentConfig,
    StepConfig,
    TrainConfig,
)
from napari_slagseg.workflow.pipeline import PIPELINE, run_pipeline
from napari_slagseg.workflow.segment import segmented_phase_table
from napari_slagseg.workflow.step import Step, StepResult

DEMO_CONFIGS: Mapping[str, StepConfig] = {
    # so short a training would never learn eucryptite, rare and grey as the target
    "annotate": AnnotateConfig(balance_phases=0.5),
    "train-phase": TrainConfig(**{**QUICK_TRAINING, "epochs": 21}),
    "train-particle": TrainConfig(**{**QUICK_TRAINING, "epochs": 9}),
    "segment": SegmentConfig(minimum_voxels=50),
}
"""Settings of the demo: small networks and few steps, so that two cores do it in minutes."""

NO_STEP: Callable[[Step, StepResult | None], None] = lambda step, result: None  # noqa: E731


@dataclass(frozen=True)
class DemoResult:
    """What the demo found, and where it lies.

    Attributes
    ----------
    sample, project : Path
        Folder of the phantom; of the project made from it.
    scores : dict
        Against the phantom's truth, JSON values; NaN where not defined.
    scores_path : Path
        The same as a file.
    steps_run : tuple of str
        Steps that were not up to date.
    seconds : float
        Of this call.
    """

    sample: Path
    project: Path
    scores: dict[str, Any]
    scores_path: Path
    steps_run: tuple[str, ...]
    seconds: float


def write_sample(
    folder: str | Path,
    preset: Preset = DEMO_PRESET,
    degradation: Degradation = DEMO_DEGRADATION,
    seed: int = DEMO_SEED,
    *,
    n_maps: int | None = None,
    overwrite: bool = False,
    progress: Progress = no_progress,
    cancel: CancelToken | None = None,
) -> dict[str, Any]:
    """Make a phantom and write it as a user's files, with the truth beside.

    Parameters
    ----------
    folder : path
        Must not exist, or be empty, unless `overwrite` is set.
    preset, degradation, seed, n_maps
        See `napari_slagseg.phantom.make_phantom`; by default the demo's sample.
    overwrite : bool
        Replace the sample that a folder holds; other files in it stay.

    Returns
    -------
    dict
        Content of its ``sample.json``.
    """
    folder = Path(folder)
    # only a folder that holds a sample is overwritten, never one of the user's own
    old = overwrite and (folder / "sample.json").is_file()
    if not old and folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise SlagsegError(
            f"{folder} exists already and is not empty. Choose another name for the sample."
        )
    return _write_sample(folder, preset, degradation, seed, n_maps, progress, cancel)


def _write_sample(
    folder: Path,
    preset: Preset,
    degradation: Degradation,
    seed: int,
    n_maps: int | None,
    progress: Progress,
    cancel: CancelToken | None,
) -> dict[str, Any]:
    phantom = make_phantom(
        preset, degradation, seed, n_maps=n_maps, progress=progress, cancel=cancel
    )
    progress(ProgressEvent("writing the sample", 0.95))
    if (folder / "sample.json").is_file():
        _forget_maps(folder)
    write_phantom(phantom, folder)
    return _sample(folder)


def _forget_maps(folder: Path) -> None:
    """Delete the maps of the sample that is to be overwritten: the new one may have fewer."""
    for number in range(1, len(_sample(folder).get("maps", ())) + 1):
        for name in ("map_{}.png", "map_{}_raster.tif", "truth/coordinates_map_{}.npy"):
            (folder / name.format(number)).unlink(missing_ok=True)


def _sample(folder: Path) -> dict[str, Any]:
    content = io.read_json(folder / "sample.json", "the description of the sample")
    return dict(content)


def _demo_sample(
    folder: Path,
    preset: Preset,
    degradation: Degradation,
    seed: int,
    progress: Progress,
    cancel: CancelToken | None,
) -> dict[str, Any]:
    """Sample of an earlier call, or a new one."""
    if not (folder / "sample.json").is_file():
        return _write_sample(folder, preset, degradation, seed, None, progress, cancel)
    found = _sample(folder)
    wanted = {"preset": preset, "degradation": degradation, "seed": seed}
    if any(found.get(name) != value for name, value in wanted.items()):
        here = ", ".join(f"{name} {found.get(name)}" for name in wanted)
        raise SlagsegError(
            f"{folder} holds another sample ({here}). Choose another folder for this demo, or "
            "delete that one."
        )
    return found


def _demo_project(folder: Path, sample_folder: Path, sample: Mapping[str, Any]) -> Project:
    """Project of an earlier call, or a new one from the sample's files."""
    if (folder / "project.json").is_file():
        return Project(folder)
    return Project.create(
        folder,
        ct=sample_folder / "ct.tif",
        maps=[sample_folder / f"{m['name']}.png" for m in sample["maps"]],
        legend=sample_folder / "legend.csv",
        pixel_size_um=sample["pixel_size_um"],
        target=sample["target"],
    )


def _registration_errors(project: Project, truth: PhantomTruth) -> dict[str, Any]:
    from napari_slagseg.registration import placement_error

    found: dict[str, Any] = {}
    for name, placed in project.placed_maps().items():
        if placed.placed:
            found[name] = {"placed": True, **placement_error(placed, truth.coordinates[name])}
        else:
            found[name] = {"placed": False, "reason": placed.reason}
    return found


def _liberation_errors(predicted: ParticleTable, true: ParticleTable) -> dict[str, Any]:
    from napari_slagseg.liberation import curve_difference, liberation_curve

    found = {}
    for by in ("volume_liberation", "surface_liberation"):
        curves = [liberation_curve(t.inside(), by=by) for t in (true, predicted)]
        found[by] = curve_difference(*curves)
    return found


def compare_with_truth(
    project: Project, truth: PhantomTruth, progress: Progress = no_progress
) -> dict[str, Any]:
    """Score all that a project has found against a phantom's truth.

    Returns
    -------
    dict
        ``registration_error_voxels`` by map (see `placement_error`), ``phases``
        (Dice, accuracy, IoU by name; the truth in the project's classes),
        ``particles`` (see `score_particles`), ``liberation_curve_error`` (largest
        and mean difference of the curves, over particles that do not touch the
        border).
    """
    from napari_slagseg.descriptors import describe_particles
    from napari_slagseg.evaluation import score_particles, score_phases

    progress(ProgressEvent("comparing with the truth", 0.0))
    classes = segmented_phase_table(project).with_target(project.description.target)
    table = project.phase_table()
    true_phases = truth.phases.astype(np.int16)
    if table.names != classes.names:
        true_phases = table.lookup(table.grouped()[1])[true_phases]
    phases = project.segmentation("phases")
    scores = score_phases(phases.astype(np.int16), true_phases, ids=classes.ids)
    particles = project.segmentation("particles")
    progress(ProgressEvent("comparing with the truth", 0.3))
    of_particles = score_particles(particles.astype(np.int64), truth.particles.astype(np.int64))
    progress(ProgressEvent("comparing with the truth", 0.6))
    true_table = describe_particles(
        truth.particles, np.maximum(true_phases, 0), project.voxel_size_um, classes
    )
    predicted_table = io.read_particle_table(project.tables / "particles.csv")
    return {
        "registration_error_voxels": _registration_errors(project, truth),
        "phases": {
            **scores,
            "iou": {classes.by_id(i).name: value for i, value in scores["iou"].items()},
        },
        "particles": dict(of_particles),
        "liberation_curve_error": _liberation_errors(predicted_table, true_table),
    }


def run_demo(
    out_folder: str | Path,
    *,
    preset: Preset = DEMO_PRESET,
    degradation: Degradation = DEMO_DEGRADATION,
    seed: int = DEMO_SEED,
    configs: Mapping[str, StepConfig] = DEMO_CONFIGS,
    progress: Progress = no_progress,
    cancel: CancelToken | None = None,
    on_step: Callable[[Step, StepResult | None], None] = NO_STEP,
) -> DemoResult:
    """Make a sample, do the whole job on it, and compare with its truth.

    What an earlier call has finished in the same folder is not done again.

    Parameters
    ----------
    out_folder : path
        Gets ``sample/``, ``project/`` and ``demo_scores.json``.
    preset, degradation, seed
        Of the phantom.
    configs : mapping of step name to StepConfig
        Steps that are not named have their defaults.
    progress, cancel, on_step
        See `run_pipeline`.

    Raises
    ------
    SlagsegError
        Among others where no map could be placed.
    """
    clock = time.perf_counter()
    out = Path(out_folder)
    sample_folder, scores_path = out / "sample", out / "demo_scores.json"
    sample = _demo_sample(sample_folder, preset, degradation, seed, progress, cancel)
    progress(ProgressEvent("reading the sample's files", None))
    project = _demo_project(out / "project", sample_folder, sample)
    wanted = {name: configs.get(name) or step.config() for name, step in PIPELINE.items()}
    done = run_pipeline(project, wanted, progress, cancel, on_step)
    if done or not scores_path.is_file():
        records = {name: project.record(name) for name in PIPELINE}
        scores = {
            "sample": {name: sample[name] for name in ("preset", "degradation", "seed")},
            "ct_shape": list(project.description.ct.shape),
            "made_up": "The sample is a phantom: its truth is known exactly because it was drawn.",
            "small": _what_is_small(configs),
            **compare_with_truth(project, read_phantom_truth(sample_folder), progress),
            "seconds": {n: r.seconds for n, r in records.items() if r is not None},
        }
        io.write_json(scores_path, scores)
    # through the file, so that first and later calls say the same
    scores = io.read_json(scores_path, "the demo's scores")
    return DemoResult(
        sample=sample_folder,
        project=project.folder,
        scores=scores,
        scores_path=scores_path,
        steps_run=tuple(done),
        seconds=round(time.perf_counter() - clock, 2),
    )


def _what_is_small(configs: Mapping[str, StepConfig]) -> str:
    """One sentence that says how the demo differs from a real job."""
    parts = []
    for name in ("train-phase", "train-particle"):
        config = configs.get(name) or TrainConfig()
        if isinstance(config, TrainConfig) and config.epochs is not None:
            kind = name.partition("-")[2]
            parts.append(
                f"the {kind} network ('{config.size}') for {config.epochs * config.steps:,} steps "
                f"of {config.batch} patches of {config.patch_depth or config.patch} x "
                f"{config.patch} x {config.patch} voxels"
            )
    trained = " and ".join(parts) or "both networks with the paper's settings"
    return (
        f"Trained here: {trained}. The paper trains wider networks "
        "(32, 64, 128, 256 channels) for 15,000 and 10,000 steps of 4 patches of 96^3 voxels."
    )


__all__ = ["DEMO_CONFIGS", "DemoResult", "compare_with_truth", "run_demo", "write_sample"]
