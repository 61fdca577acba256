"""Several maps of one sample: each alone, then the doubtful ones with the others' help."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from napari_slagseg.data import (
    CancelToken,
    GreyMap,
    MineralMap,
    PlacedMap,
    Progress,
    ProgressEvent,
    no_progress,
)
from napari_slagseg.registration.crossing import with_crossings
from napari_slagseg.registration.expected import expected_for
from napari_slagseg.registration.hints import Hints
from napari_slagseg.registration.job import polynomial_of
from napari_slagseg.registration.place import place_map
from napari_slagseg.registration.pyramid import PreparedCT
from napari_slagseg.registration.slice_correlator import CorrelatorFactory


def _ignore(_: PlacedMap) -> None:
    """Nobody listens."""


def place_maps(
    prepared: PreparedCT,
    maps: Sequence[MineralMap | GreyMap],
    *,
    hints: Mapping[str, Hints] | None = None,
    known: Mapping[str, PlacedMap] | None = None,
    order: Sequence[str] | None = None,
    correlator: CorrelatorFactory | None = None,
    seed: int = 0,
    progress: Progress = no_progress,
    cancel: CancelToken | None = None,
    on_placed: Callable[[PlacedMap], None] = _ignore,
) -> dict[str, PlacedMap]:
    """Place the maps of one sample.

    Each is placed alone. Cuts of one sample are roughly parallel, and often given in
    the order of their heights: maps that were refused are searched for once more with
    that as a prior (`expected.Expected`), from the maps that were placed surely.

    Parameters
    ----------
    prepared : PreparedCT
    maps : sequence of MineralMap or GreyMap
        That are to be placed.
    hints : mapping of name to Hints, optional
    known : mapping of name to PlacedMap, optional
        Other maps of the sample, placed already; they only help.
    order : sequence of str, optional
        Names of all maps in the order in which the cuts were made; none given: that of
        `known`, then that of `maps`.
    correlator, seed, progress, cancel
        See `place_map`.
    on_placed : callable
        Told of every placement as soon as it stands; a second time of a refused map
        if the prior changed the verdict, and of one that crosses another.

    Returns
    -------
    dict of name to PlacedMap
    """
    hints, known = dict(hints or {}), dict(known or {})
    names = [*known, *(m.name for m in maps)] if order is None else list(order)
    found: dict[str, PlacedMap] = {}

    def place(i: int, source: MineralMap | GreyMap, others: dict[str, PlacedMap]) -> PlacedMap:
        hint = hints.get(source.name, Hints())

        def tell(event: ProgressEvent) -> None:
            done = None if event.fraction is None else (i + event.fraction) / len(maps)
            again = " again" if others else ""
            stage = f"placing {source.name}{again}: {event.stage}"
            progress(ProgressEvent(stage, None if others else done, event.values))

        return place_map(
            prepared,
            source,
            height_window=hint.height_window,
            angle_deg=hint.angle_deg,
            mirror=hint.mirror,
            landmarks=hint.landmarks,
            start=hint.start,
            locked=hint.locked,
            field_size=hint.field_size,
            expected=None
            if not others
            else expected_for(
                names.index(source.name),
                [(names.index(n), polynomial_of(prepared, p)) for n, p in others.items()],
                (0.0, float(prepared.extent[0])),
            ),
            correlator=correlator,
            seed=seed,
            progress=tell,
            cancel=cancel,
        )

    for i, source in enumerate(maps):
        found[source.name] = place(i, source, {})
        on_placed(found[source.name])
    sure = {
        name: p
        for name, p in {**known, **found}.items()
        if p.placed and (p.probability or 0.0) >= prepared.settings.sure_probability
    }
    for i, source in enumerate(maps):
        by_hand = hints.get(source.name, Hints()).start is not None
        if found[source.name].placed or by_hand or not sure:
            continue
        again = place(i, source, sure)
        if again.placed:
            found[source.name] = again
            on_placed(again)
    for warned in with_crossings([*found.values()], [*known.values()]):
        found[warned.map_name] = warned
        on_placed(warned)
    return found


__all__ = ["place_maps"]
