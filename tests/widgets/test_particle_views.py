"""Particles coloured by a column and outlined as chosen, in real viewers."""

import numpy as np
import pytest

from napari_slagseg.widgets import layers
from napari_slagseg.widgets.lazy_array import DirectReader, LazyArray
from napari_slagseg.widgets.measuring import label_lookup
from napari_slagseg.widgets.measuring.choice import Choice
from napari_slagseg.widgets.measuring.label_lookup import Lookup
from napari_slagseg.widgets.measuring.particle_views import (
    CHOSEN_LAYER,
    COLOURED_LAYER,
    NO_VALUE,
    STEPS,
    ParticleViews,
    scale_of,
    step_colours,
    steps_of,
)

pytestmark = pytest.mark.gui


@pytest.fixture
def viewer(make_napari_viewer):
    """Three cubes in two levels, one of them with a label above 2**31."""
    viewer = make_napari_viewer()
    labels = np.zeros((16, 64, 64), np.uint32)
    labels[4:12, 8:24, 8:24] = 1
    labels[4:12, 8:24, 40:56] = 2
    labels[4:12, 40:56, 8:24] = 3_000_000_000
    levels = [LazyArray(DirectReader(labels)), LazyArray(DirectReader(labels[::2, ::2, ::2]))]
    viewer.add_labels(
        levels, name=layers.PARTICLES_LAYER, scale=(2.0,) * 3, units="um", axis_labels="zyx"
    )
    viewer.dims.set_point(0, 2.0 * 8)
    return viewer


@pytest.mark.parametrize("dense", [label_lookup.DENSE, 0])
def test_each_label_has_its_number_and_others_none(monkeypatch, dense):
    monkeypatch.setattr(label_lookup, "DENSE", dense)
    lookup = Lookup()
    asked = np.array([[0, 1, 5], [9, 10, 4_000_000_000]], np.uint32)
    assert not lookup.of(asked).any()
    lookup.set([9, 1, 10], [30, 10, 0])
    assert lookup.of(asked).tolist() == [[0, 10, 0], [30, 0, 0]]
    lookup.set([4_000_000_000], [7])
    assert lookup.of(asked).tolist() == [[0, 0, 0], [0, 0, 7]]
    lookup.set([], [])
    assert not lookup.of(asked).any()


def test_values_get_the_colours_of_a_scale():
    values = np.array([0.0, 0.5, 1.0, -3.0, 9.0, np.nan, np.inf])
    steps = steps_of(values, (0.0, 1.0))
    assert steps.tolist() == [1, STEPS // 2 + 1, STEPS, 1, STEPS, STEPS + 1, STEPS]
    assert scale_of(np.array([np.nan])) == (0.0, 1.0)
    assert scale_of(np.array([3.0, 3.0])) == (3.0, 4.0)
    # one giant among a thousand does not set the scale
    assert scale_of(np.append(np.linspace(0, 1, 1000), 1e6))[1] < 1.001


def shown_colour(layer, row, column):
    """Colour of a voxel of the plane that is shown."""
    return np.asarray(layer.colormap.map(int(layer._slice.image.raw[row, column])))


def test_particles_are_coloured_by_a_value(viewer):
    views = ParticleViews(viewer)
    labels = np.array([1, 2, 3_000_000_000])
    assert views.colour_by("sphericity", labels, np.array([0.0, 1.0, np.nan]), (0.0, 1.0))
    layer = viewer.layers[COLOURED_LAYER]
    assert not viewer.layers[layers.PARTICLES_LAYER].visible
    assert tuple(layer.scale) == (2.0,) * 3
    assert {str(u) for u in layer.units} == {"micrometer"}
    assert tuple(layer.axis_labels) == ("z", "y", "x")
    step = 2**layer.data_level
    at = {1: (16, 16), 2: (16, 48), 3: (48, 16)}
    for level in (0, 1):
        layer.locked_data_level = level
        step = 2**level
        for label, colour in ((1, step_colours()[0]), (2, step_colours()[-1]), (3, NO_VALUE)):
            row, column = (i // step for i in at[label])
            assert shown_colour(layer, row, column) == pytest.approx(colour, abs=0.01)
        assert shown_colour(layer, 0, 0)[3] == 0
    # another column: the same layer, drawn anew; a particle that is left out is clear
    assert views.colour_by("size", labels[:2], np.array([1.0, 0.0]), (0.0, 1.0))
    assert viewer.layers[COLOURED_LAYER] is layer
    layer.locked_data_level = 0
    assert shown_colour(layer, 16, 16) == pytest.approx(step_colours()[-1], abs=0.01)
    assert shown_colour(layer, 48, 16)[3] == 0
    assert "size" in layer.features
    assert views.label_under((16.0, 2.0 * 48, 2.0 * 16)) == 3_000_000_000
    assert views.label_under((16.0, 2.0 * 70, 2.0 * 16)) == 0
    views.ordinary()
    assert COLOURED_LAYER not in viewer.layers
    assert viewer.layers[layers.PARTICLES_LAYER].visible
    views.close()


def test_the_chosen_are_outlined_and_vanish_with_the_particles(viewer):
    views = ParticleViews(viewer)
    active = viewer.layers.selection.active
    views.show_chosen(np.array([2, 3_000_000_000]))
    layer = viewer.layers[CHOSEN_LAYER]
    assert viewer.layers.selection.active is active
    plane = np.asarray(layer.data[0][8] if layer.multiscale else layer.data[8])
    assert (plane > 0).sum() == 2 * 16 * 16
    assert not plane[8:24, 8:24].any()
    assert layer.contour == 1
    views.show_chosen(np.array([1]), filled=True)
    assert viewer.layers[CHOSEN_LAYER] is layer
    assert layer.contour == 0
    plane = np.asarray(layer.data[0][8])
    assert plane[8:24, 8:24].all()
    assert (plane > 0).sum() == 16 * 16
    views.show_chosen(np.empty(0, np.int64))
    assert CHOSEN_LAYER not in viewer.layers
    views.show_chosen(np.array([1]))
    views.colour_by("x", np.array([1]), np.array([1.0]), (0.0, 1.0))
    viewer.layers.remove(layers.PARTICLES_LAYER)
    assert not len(viewer.layers)
    assert not views.colour_by("x", np.array([1]), np.array([1.0]), (0.0, 1.0))
    views.show_chosen(np.array([1]))
    assert not len(viewer.layers)
    views.close()


def test_one_choice_is_told_once():
    choice, told = Choice(), []
    choice.changed.connect(told.append)
    choice.set([5, 3, 5], by="table")
    choice.set(np.array([3, 5]), by="plot")
    assert told == ["table"]
    assert choice.labels.tolist() == [3, 5]
    assert 5 in choice
    assert 4 not in choice
    choice.toggle(4)
    choice.toggle(3)
    assert choice.labels.tolist() == [4, 5]
    choice.clear()
    assert len(choice) == 0
