"""Step 1: place the mineral maps in the CT."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from napari_slagseg import io
from napari_slagseg.data import (
    CancelToken,
    PlacedMap,
    Progress,
    ProgressEvent,
    SlagsegError,
)
from napari_slagseg.project import Project
from napari_slagseg.workflow.configs import RegisterConfig
from napari_slagseg.workflow.placing import (
    check_fit,
    check_hints,
    check_landmarks_of,
    correlator_for,
    describe,
    hints_for,
    kept_with,
    landmarks_of,
    settings_for,
)
from napari_slagseg.workflow.step import Step, StepResult, digest


def _inputs(project: Project) -> dict[str, str]:
    found = {f"map {m.name}": m.fingerprint for m in project.description.maps}
    for name in project.map_names():
        path = project.landmarks_path(name)
        if path.is_file():
            found[f"landmarks {name}"] = project.fingerprint(path.relative_to(project.folder))
    return {"ct": project.ct_fingerprint(), "phases": project.fingerprint("phases.json"), **found}


def _run_key(project: Project, config: RegisterConfig, name: str) -> str:
    """What decides over a map's placement; equal keys need no second search."""
    values = config.model_dump(mode="json", exclude={"maps", "again", "start", "cutouts", "device"})
    inputs = _inputs(project)
    key = [values, inputs["ct"], inputs["phases"], inputs[f"map {name}"]]
    return digest([*key, inputs.get(f"landmarks {name}")])


def take_landmarks(project: Project, path: str | Path, maps: tuple[str, ...] = ()) -> None:
    """Store the landmarks of a file with a project, as one undoable step of each map.

    Parameters
    ----------
    project : Project
        Open for writing.
    path : path
        See `io.read_landmarks`.
    maps : tuple of str
        Maps they may be of; none given: all of the project.

    Raises
    ------
    SlagsegError
        If the file names no map and there are several, names one that the project does
        not have, or holds landmarks that cannot place a map; nothing is stored then.
    """
    found = io.read_landmarks(path)
    chosen = maps or project.map_names()
    if not found:
        raise SlagsegError(f"{path} holds no landmarks.")
    if "" in found and len(chosen) > 1:
        raise SlagsegError(
            f"{path} does not say which map its landmarks are of. Add the column 'map' with one of "
            f"{', '.join(chosen)}, or choose the map."
        )
    for name in found:
        if name:
            project.map_entry(name)
    # a map that the file says nothing of keeps the landmarks it has
    wanted = [n for n in chosen if n in found] if "" not in found else list(chosen)
    if not wanted:
        landmarks_of(found, path, chosen[0])
    pairs = {name: landmarks_of(found, path, name) for name in wanted}
    for name, landmarks in pairs.items():
        shape = project.description.ct.shape
        check_landmarks_of(path, landmarks, project.mineral_map(name), shape)
    for name, landmarks in pairs.items():
        project.alignment(name).save_landmarks(landmarks, f"landmarks from {Path(path).name}")


def _without(others: str) -> str:
    return (
        f"To place the others without it, name them ({others}) as the maps to place: --maps in a "
        "terminal, 'maps' under More settings on the Register page."
    )


def _names(project: Project, config: RegisterConfig) -> tuple[str, ...]:
    """Maps that a run is about."""
    names = config.maps or project.map_names()
    for name in names:
        project.map_entry(name)
    if config.start == "here" and not config.maps:
        lying = {n for n, p in project.placed_maps().items() if p.surface is not None}
        names = tuple(n for n in names if n in lying) or names
    if config.cutouts and len(names) != 1:
        raise SlagsegError(
            f"Cutouts are numbered map by map. Choose one of the maps {', '.join(names)} to "
            "register them again."
        )
    return names


def run(
    project: Project, config: RegisterConfig, progress: Progress, cancel: CancelToken | None
) -> StepResult:
    """Place every map (or those named); each is stored as soon as it is placed.

    A map that is refused at first is searched for again with the help of the others.

    Maps that the same settings and landmarks have placed already are kept, with what
    the user has changed since, unless `config.again` is set; so a run that was stopped
    goes on. With ``start="here"`` the maps that lie somewhere are fitted again from
    there. What was before a run can be brought back by `Project.alignment`.
    """
    # numba comes with it, and help should not wait for that
    from napari_slagseg.registration import place_maps, prepare_ct

    names = _names(project, config)
    ct = project.description.ct
    before = {name: project.placed_map(name) for name in names}
    landmarks = {name: project.landmarks(name) for name in names}
    few = {n: len(p) for n, p in landmarks.items() if p is not None and len(p) < 3}
    for name in few:  # somebody is still setting them
        landmarks[name] = None
    for name in names:  # a clear error before the work starts
        mineral_map = project.mineral_map(name)
        try:
            check_fit(ct.shape, ct.voxel_size_um, mineral_map, config)
        except SlagsegError as error:
            others = ", ".join(n for n in names if n != name)
            raise SlagsegError(f"{error} {_without(others)}" if others else str(error)) from error
        check_hints(config, mineral_map, ct.shape, landmarks[name], before[name])
    keys = {name: _run_key(project, config, name) for name in names}
    here = config.start == "here"
    todo = [
        name
        for name in names
        if here or config.again or (p := before[name]) is None
        or p.details.get("run_key") != keys[name]
    ]  # fmt: skip
    if todo:
        progress(ProgressEvent("preparing the CT", 0.0))
        prepared = prepare_ct(project.volume(), settings_for(config), cancel=cancel)

        def keep(found: PlacedMap) -> None:
            placed = kept_with(found, before[found.map_name], config)
            project.save_placed(_with_key(placed, keys[placed.map_name]), what=_what(config))

        place_maps(
            prepared,
            [project.mineral_map(name) for name in todo],
            hints={name: hints_for(config, landmarks[name], before[name]) for name in todo},
            known={n: p for n, p in project.placed_maps().items() if n not in todo},
            order=project.map_names(),
            correlator=correlator_for(config),
            seed=config.seed,
            progress=progress,
            cancel=cancel,
            on_placed=keep,
        )
    all_placed = project.placed_maps()
    warnings = [
        f"{name} was placed without its {n} landmarks: at least three are needed"
        for name, n in few.items()
        if name in todo
    ]
    warnings += [
        f"{p.map_name}: {p.reason}" if p.placed else f"{p.map_name} was refused: {p.reason}"
        for p in all_placed.values()
        if p.reason or not p.placed
    ]
    accepted = sum(p.placed for p in all_placed.values())
    return StepResult(
        summary={"maps": {name: describe(p) for name, p in all_placed.items()}},
        message=f"{accepted} of {len(project.map_names())} maps placed.",
        warnings=tuple(warnings),
    )


def _what(config: RegisterConfig) -> str:
    """A run in the words of the undo button."""
    if config.start != "here":
        return "placed automatically"
    if not config.cutouts:
        return "fitted from here"
    many = "cutout" if len(config.cutouts) == 1 else "cutouts"
    return f"registered {many} {', '.join(map(str, config.cutouts))} again"


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

__all__ = ["STEP", "require_placed", "run", "take_landmarks"]
