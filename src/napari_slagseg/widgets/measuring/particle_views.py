"""Particles coloured by a column, and the chosen ones outlined, as layers of the viewer."""

from __future__ import annotations

import weakref
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib import colormaps
from napari.utils.colormaps import DirectLabelColormap
from numpy.typing import NDArray

from napari_slagseg.widgets import layers
from napari_slagseg.widgets.levels import layer_data
from napari_slagseg.widgets.measuring.choice import CHOSEN_COLOUR
from napari_slagseg.widgets.measuring.label_lookup import Lookup, looked_up

if TYPE_CHECKING:
    import napari
    from napari.layers import Labels

COLOURED_LAYER = "particles by value"
CHOSEN_LAYER = "chosen particles"

COLOURS = "viridis"
STEPS = 254
"""Colours of the scale; one more is for particles without a value."""

_IN_3D = (CHOSEN_COLOUR, "#4fd8ff", "#ffd92f", "#8cff4f", "#ff8c4f", "#c08cff")

NO_VALUE = (0.5, 0.5, 0.5, 1.0)


def scale_of(values: NDArray[np.float64]) -> tuple[float, float]:
    """Ends of a colour scale: the 1st and 99th percentile, so that no giant takes all colours."""
    finite = values[np.isfinite(values)]
    if not len(finite):
        return 0.0, 1.0
    low, high = (float(v) for v in np.percentile(finite, (1, 99)))
    if high <= low:
        low, high = float(finite.min()), float(finite.max())
    return (low, high) if high > low else (low, low + 1.0)


def steps_of(values: NDArray[np.float64], scale: tuple[float, float]) -> NDArray[np.uint8]:
    """Step of the colour scale for every value: 1 to `STEPS`, or `STEPS` + 1 for NaN."""
    low, high = scale
    with np.errstate(invalid="ignore"):
        at = np.floor((values - low) / (high - low) * STEPS) + 1
    clipped = np.clip(at, 1, STEPS)
    return np.where(np.isfinite(values) | np.isinf(values), clipped, STEPS + 1).astype(np.uint8)


def step_colours() -> NDArray[np.float64]:
    """Colours of the steps 1 to `STEPS`, (STEPS, 4)."""
    return np.asarray(colormaps[COLOURS]((np.arange(STEPS) + 0.5) / STEPS))


def _colormap() -> DirectLabelColormap:
    colours: dict[int | None, Any] = {None: (0, 0, 0, 0), 0: (0, 0, 0, 0)}
    colours.update({i + 1: colour for i, colour in enumerate(step_colours())})
    colours[STEPS + 1] = NO_VALUE
    return DirectLabelColormap(color_dict=colours)


class ParticleViews:
    """The two layers that are made of the particles' labels.

    They vanish with the particles' layer, and where there is none nothing is shown.

    Parameters
    ----------
    viewer : napari.Viewer
    """

    def __init__(self, viewer: napari.Viewer) -> None:
        self._viewer = weakref.ref(viewer)
        self._coloured, self._chosen = Lookup(), Lookup()
        self._filled = False
        viewer.layers.events.removed.connect(self._removed)
        viewer.dims.events.ndisplay.connect(self._turned, position="first")

    @property
    def viewer(self) -> napari.Viewer:
        """The viewer that it draws in."""
        viewer = self._viewer()
        if viewer is None:
            raise RuntimeError("the viewer was closed")
        return viewer

    @property
    def particles(self) -> Labels | None:
        """Layer with the labels."""
        return self._layer(layers.PARTICLES_LAYER)

    @property
    def coloured(self) -> Labels | None:
        """Layer that is coloured by a column, if there is one."""
        return self._layer(COLOURED_LAYER)

    def _layer(self, name: str) -> Labels | None:
        # a list of layers knows names, but only by its index
        return self.viewer.layers[name] if name in self.viewer.layers else None  # noqa: SIM401

    def colour_by(
        self,
        name: str,
        labels: NDArray[np.int64],
        values: NDArray[np.float64],
        scale: tuple[float, float],
    ) -> bool:
        """Colour particles by a value; others are clear. False where there are no particles."""
        if self.particles is None:
            return False
        self._coloured.set(labels, steps_of(values, scale))
        layer = self.coloured
        if layer is None:
            layer = self._add(COLOURED_LAYER, self._coloured, opacity=0.75, colormap=_colormap())
            self.particles.visible = False
        else:
            layer.refresh(extent=False)
        layer.features = _steps_in_words(name, scale)
        layer.metadata["column"] = name
        return True

    def ordinary(self) -> None:
        """Take the colours away and show the particles as ever."""
        if self.coloured is not None:
            self.viewer.layers.remove(self.coloured)
            if self.particles is not None:
                self.particles.visible = True

    def show_chosen(self, labels: NDArray[np.int64], *, filled: bool = False) -> None:
        """Outline these particles, or fill them; none takes the layer away."""
        there = CHOSEN_LAYER in self.viewer.layers
        if self.particles is None or not len(labels):
            if there:
                self.viewer.layers.remove(CHOSEN_LAYER)
            return
        # neighbours mostly get different numbers, so that each has an outline of its own
        self._chosen.set(labels, np.arange(len(labels)) % 250 + 1)
        if there:
            layer = self.viewer.layers[CHOSEN_LAYER]
        else:
            layer = self._add(
                CHOSEN_LAYER,
                self._chosen,
                opacity=0.9,
                colormap=self._chosen_colours(),
                # in 3D they are seen through those in front of them
                blending="translucent_no_depth",
            )
        self._filled = filled
        contour = self._contour()
        if layer.contour != contour:
            layer.contour = contour
        elif there:
            layer.refresh(extent=False)

    def _contour(self) -> int:
        """Width of the outlines: there are none in 3D, which napari warns of at every drawing."""
        return 0 if self._filled or self.viewer.dims.ndisplay == 3 else 1

    def _chosen_colours(self) -> DirectLabelColormap:
        """One colour for all outlines; in 3D, where they are filled, several to tell them apart."""
        shown = _IN_3D if self.viewer.dims.ndisplay == 3 else (CHOSEN_COLOUR,)
        colours: dict[int | None, Any] = {None: CHOSEN_COLOUR, 0: (0, 0, 0, 0)}
        colours.update({i: shown[(i - 1) % len(shown)] for i in range(1, 251)})
        return DirectLabelColormap(color_dict=colours)

    def _turned(self, _: object) -> None:
        if CHOSEN_LAYER in self.viewer.layers:
            layer = self.viewer.layers[CHOSEN_LAYER]
            layer.contour = self._contour()
            layer.colormap = self._chosen_colours()

    def label_under(self, position: Any) -> int:
        """Particle at a place in the world, read from the level that is shown of the colours."""
        layer, labels = self.coloured, self.particles
        if layer is None or labels is None or not layer.visible:
            return 0
        level = layer.data_level if layer.multiscale else 0
        data = labels.data[level] if labels.multiscale else labels.data
        finest = labels.data[0] if labels.multiscale else labels.data
        at = np.asarray(labels.world_to_data(position))[-3:]
        at = np.floor((at + 0.5) * np.divide(data.shape, finest.shape)).astype(int)
        if np.any(at < 0) or np.any(at >= data.shape):
            return 0
        return int(data[tuple(at)])

    def _add(self, name: str, lookup: Lookup, **options: Any) -> Labels:
        labels = self.particles
        assert labels is not None
        levels, arrivals = looked_up(labels, lookup)
        active = self.viewer.layers.selection.active
        layer = self.viewer.add_labels(
            layer_data(levels),
            name=name,
            scale=labels.scale,
            translate=labels.translate,
            units=labels.units,
            axis_labels=labels.axis_labels,
            **options,
        )
        layer.editable = False
        arrivals.follow(layer)
        # the reader of a layer tells it of what came; it lives as long as the layer
        layer.metadata["arrivals"] = arrivals
        if active is not None and active in self.viewer.layers:
            self.viewer.layers.selection.active = active
        return layer

    def _removed(self, event: Any) -> None:
        if event.value.name == layers.PARTICLES_LAYER:
            for name in (COLOURED_LAYER, CHOSEN_LAYER):
                if name in self.viewer.layers:
                    self.viewer.layers.remove(name)

    def close(self) -> None:
        """Stop listening to the viewer."""
        self.viewer.layers.events.removed.disconnect(self._removed)
        self.viewer.dims.events.ndisplay.disconnect(self._turned)


_VIEWS: weakref.WeakKeyDictionary[object, ParticleViews] = weakref.WeakKeyDictionary()


def views_of(viewer: napari.Viewer) -> ParticleViews:
    """The one pair of layers that a viewer's docks share, made on first use."""
    if viewer not in _VIEWS:
        _VIEWS[viewer] = ParticleViews(viewer)
    return _VIEWS[viewer]


def _steps_in_words(name: str, scale: tuple[float, float]) -> pd.DataFrame:
    """What the viewer's status line says of each colour."""
    edges = np.linspace(*scale, STEPS + 1)
    words = [f"{a:.3g} to {b:.3g}" for a, b in pairwise(edges)]
    return pd.DataFrame({"index": np.arange(1, STEPS + 2), name.replace("_", " "): [*words, "n/a"]})


__all__ = [
    "CHOSEN_LAYER",
    "COLOURED_LAYER",
    "NO_VALUE",
    "STEPS",
    "ParticleViews",
    "scale_of",
    "step_colours",
    "steps_of",
    "views_of",
]
