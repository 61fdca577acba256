"""The Alignment dock's picture, made beside the window and renewed while the map moves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QObject, Signal

from napari_slagseg.data import PlacedMap
from napari_slagseg.registration.steering import LiveFit
from napari_slagseg.widgets.alignment_view import AlignmentView
from napari_slagseg.widgets.background import Latest
from napari_slagseg.widgets.composite import RGB
from napari_slagseg.widgets.fit_picture import (
    Look,
    ViewSettings,
    first_look,
    gap_of,
    look_at,
    on_picture_grid,
    picture,
)
from napari_slagseg.widgets.surface_slab import Region, SurfaceSlab
from napari_slagseg.widgets.view_bar import ViewBar

if TYPE_CHECKING:
    from napari_slagseg.widgets.session import Session


class LivePicture(QObject):
    """Reads a map, reslices the CT on its surface and shows both in a view.

    What takes time is done by `latest`; a result that belongs to another map by then
    is dropped.

    Parameters
    ----------
    session : Session
    view : AlignmentView
    bar : ViewBar
        Says how the picture is to be made.
    latest : Latest
    where : callable
        Gives the placement under the picture, None for a map without a place.
    parent : QObject

    Signals
    -------
    scored : (str)
        The score of the place shown while nudging, in words.
    """

    scored = Signal(str)

    def __init__(
        self,
        session: Session,
        view: AlignmentView,
        bar: ViewBar,
        latest: Latest,
        where: Callable[[], PlacedMap | None],
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self.session, self.view, self.bar, self.latest = session, view, bar, latest
        self.alignment = session.alignment
        self._where = where
        self.look: Look | None = None
        self._slab: SurfaceSlab | None = None
        self._look_of = ""
        """Project and map; "" where none is looked at."""
        latest.done.connect(self._made)
        bar.changed.connect(self.compose)

    # -- which map ---------------------------------------------------------

    def close_map(self) -> None:
        """Show nothing."""
        self.look = None
        self._look_of = ""
        self.view.clear()

    def open_map(self, name: str) -> bool:
        """Begin to read a map; False if it is the one that is looked at."""
        project = self.session.project
        of = f"{project.folder}|{name}"
        if of == self._look_of:
            return False
        self.look = None
        self._look_of = of
        self._slab = None
        self.view.blank()
        self.latest.forget()
        volume = self.session.volume()

        def read() -> tuple[object, ...]:
            mineral_map = project.mineral_map(name)
            return (of, first_look(mineral_map), mineral_map, volume)

        self.latest.ask("open", read)
        return True

    # -- asking for pictures -----------------------------------------------

    def compose(self) -> None:
        """Make the picture of what was resliced already."""
        look, settings = self.look, self.bar.settings
        if look is not None:
            self.latest.ask("picture", lambda: (look, settings, picture(look, settings)))

    def reslice(self) -> None:
        """Reslice the whole map."""
        look, placed, slab = self.look, self._where(), self._slab
        if look is None:
            return
        if placed is None:
            self.look = replace(look, ct=None, expected=None)
            self.compose()
            return
        volume, settings, fit = self.session.volume(), self.bar.settings, self.alignment.fit

        def make() -> tuple[object, ...]:
            new, new_slab = look_at(look, volume, placed, slab)
            if fit is not None:
                expected = on_picture_grid(fit.expected_grey(placed, look.step), new)
                new = replace(new, expected=expected)
            return (placed, new, new_slab, settings, picture(new, settings))

        self.latest.ask("look", make)

    def follow_nudge(self) -> bool:
        """Follow a nudge: the part that moved, or the whole map more coarsely.

        False where the CT is not shown yet.
        """
        a, look, slab = self.alignment, self.look, self._slab
        placed = a.placed
        if look is None or look.ct is None or placed is None:
            return False
        volume, settings, fit, chosen = self.session.volume(), self.bar.settings, a.fit, a.chosen

        def make() -> tuple[object, ...]:
            new, new_slab = look, slab
            if chosen and slab is not None and slab.covers(placed):
                for i in chosen:
                    c = placed.cutouts[i]
                    new = new.with_part(Region.of(c), slab.on_cutout(c, look.step))
            else:
                new, new_slab = look_at(look, volume, placed, slab, coarser=2)
            words = _score_words(fit, placed, chosen)
            return (placed, new, new_slab, settings, picture(new, settings), words)

        self.latest.ask("nudged", make)
        return True

    # -- what was made -----------------------------------------------------

    def _made(self, name: str, result: object) -> None:
        """Take what came from the other thread; jobs of other names are not ours."""
        if name == "open":
            self._opened(*result)
        elif name == "fit":
            of, fit = result
            if of == self._look_of:
                self.alignment.fit = fit
                self.reslice()
        elif name == "picture":
            look, settings, rgb = result
            if look is self.look:
                self._show(look, settings, rgb)
        elif name in ("look", "nudged"):
            self._resliced(*result)

    def _opened(self, of: str, look: Look, mineral_map: object, volume: object) -> None:
        if of == self._look_of:
            self.look = look
            self.reslice()
            self.latest.ask("fit", lambda: (of, LiveFit(volume, mineral_map)))

    def _resliced(
        self,
        placed: PlacedMap,
        look: Look,
        slab: SurfaceSlab,
        settings: ViewSettings,
        rgb: RGB,
        words: str | None = None,
    ) -> None:
        if self.look is None or placed.map_name != self.alignment.name or self._where() is None:
            return
        self.look, self._slab = look, slab
        if words is not None:
            self.scored.emit(words)
        self._show(look, settings, rgb)
        if settings != self.bar.settings:
            self.compose()

    def _show(self, look: Look, settings: ViewSettings, rgb: RGB) -> None:
        beside = settings.view == "side" and look.ct is not None
        second = (look.classes.shape[1] + gap_of(look)) * look.step if beside else 0
        project = self.session.project
        if project is None:
            return
        pixel_um = next(
            m.pixel_size_um for m in project.description.maps if m.name == self.alignment.name
        )
        self.view.show_picture(rgb, look.step, pixel_um, second)


def _score_words(fit: LiveFit | None, placed: PlacedMap, chosen: Sequence[int]) -> str:
    """Correlation at the place shown; of several cutouts the mean."""
    if fit is None:
        return ""
    if not chosen:
        return f"{fit.map_score(placed):.3f}"
    scores = [fit.cutout_score(placed, i) for i in chosen]
    words = f"cutout {chosen[0]}: " if len(chosen) == 1 else f"mean of {len(chosen)} cutouts: "
    return f"{words}{np.mean(scores):.3f}"


__all__ = ["LivePicture"]
