"""Step 1: place the mineral maps in the CT."""

from __future__ import annotations

from dataclasses import replace

from napari_slagseg.data import (
    CancelToken,
    MineralMap,
    PlacedMap,
    Progress,
    ProgressEvent,
    SlagsegError,
    VoxelSize,
)
from napari_slagseg.project import Project
from napari_slagseg.workflow.configs import RegisterConfig
from napari_slagseg.workflow.step import Step, StepResult, digest


def _inputs(project: Project) -> dict[str, str]:
    found = {f"map {m.name}": m.fingerprint for m in project.description.maps}
    return {"ct": project.ct_fingerprint(), "phases": project.fingerprint("phases.json"), **found}


def _run_key(project: Project, config: RegisterConfig, name: str) -> str:
    """What decides over a map's placement; equal keys need no second search."""
    values = config.model_dump(mode="json", exclude={"maps", "again"})
    inputs = _inputs(project)
    return digest([values, inputs["ct"], inputs["phases"], inputs[f"map {name}"]])


def _summary(placed: PlacedMap) -> dict[str, object]:
    return {
        "placed": placed.placed,
        "score": round(placed.score, 4),
        "accepted_cutouts": sum(c.accepted for c in placed.cutouts),
        "cutouts": len(placed.cutouts),
        "mirrored": placed.mirrored,
        "reason": placed.reason,
    }


def check_fit(
    ct_shape: tuple[int, int, int], voxel_size_um: VoxelSize, mineral_map: MineralMap
) -> None:
    """Refuse a map that cannot be placed, before seconds go into preparing the CT.

    Raises
    ------
    SlagsegError
        As `registration.hints.check_map`.
    """
    from napari_slagseg.registration import RegistrationSettings
    from napari_slagseg.registration.checks import check_map

    check_map(ct_shape, voxel_size_um, mineral_map, RegistrationSettings().size_tolerance)


def run(
    project: Project, config: RegisterConfig, progress: Progress, cancel: CancelToken | None
) -> StepResult:
    """Place every map (or those named); each is stored as soon as it is placed.

    Maps that the same settings have placed already are kept, with what the user
    has changed since, unless `config.again` is set; so a run that was stopped goes on.
    """
    # numba comes with it, and help should not wait for that
    from napari_slagseg.registration import place_map, prepare_ct

    names = config.maps or project.map_names()
    ct = project.description.ct
    for name in names:  # a clear error before the work starts
        check_fit(ct.shape, ct.voxel_size_um, project.mineral_map(name))
    keys = {name: _run_key(project, config, name) for name in names}
    kept = {
        name: placed
        for name, placed in project.placed_maps().items()
        if not config.again and placed.details.get("run_key") == keys.get(name)
    }
    todo = [name for name in names if name not in kept]
    window = (
        None
        if config.height_low is None or config.height_high is None
        else (config.height_low, config.height_high)
    )
    if todo:
        progress(ProgressEvent("preparing the CT", 0.0))
        prepared = prepare_ct(project.volume(), cancel=cancel)
        for i, name in enumerate(todo):

            def tell(event: ProgressEvent, i: int = i, name: str = name) -> None:
                done = None if event.fraction is None else (i + event.fraction) / len(todo)
                progress(ProgressEvent(f"placing {name}: {event.stage}", done, event.values))

            placed = place_map(
                prepared,
                project.mineral_map(name),
                height_window=window,
                angle_deg=config.angle,
                mirror=config.mirror,
                seed=config.seed,
                progress=tell,
                cancel=cancel,
            )
            project.save_placed(_with_key(placed, keys[name]))
    all_placed = project.placed_maps()
    warnings = tuple(
        f"{p.map_name}: {p.reason}" if p.placed else f"{p.map_name} was refused: {p.reason}"
        for p in all_placed.values()
        if p.reason or not p.placed
    )
    accepted = sum(p.placed for p in all_placed.values())
    return StepResult(
        summary={"maps": {name: _summary(p) for name, p in all_placed.items()}},
        message=f"{accepted} of {len(project.map_names())} maps placed.",
        warnings=warnings,
    )


def _with_key(placed: PlacedMap, key: str) -> PlacedMap:
    return replace(placed, details={**placed.details, "run_key": key})


def require_placed(project: Project) -> dict[str, PlacedMap]:
    """Placements that may be used, or a clear error."""
    placed = {name: p for name, p in project.placed_maps().items() if p.placed}
    if not project.placed_maps():
        raise SlagsegError(
            f"No map of project {project.folder} is placed yet. Run 'register' first."
        )
    if not any(c.accepted for p in placed.values() for c in p.cutouts):
        raise SlagsegError(
            f"No map of project {project.folder} has an accepted cutout, so there is no ground "
            "truth to train on. Look at the placement, accept cutouts, or register again with "
            "a height window, an angle or the mirror state."
        )
    return placed


STEP = Step(
    name="register",
    title="Register",
    config=RegisterConfig,
    run=run,
    inputs=_inputs,
    exists=lambda project: bool(project.placed_maps()),
)

__all__ = ["STEP", "check_fit", "require_placed", "run"]
