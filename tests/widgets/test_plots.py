"""Plots in tabs."""

import pytest

from napari_slagseg.widgets.plots import PlotCanvas

pytestmark = pytest.mark.gui


def test_a_plot_is_drawn_when_it_is_seen_and_not_before(qtbot):
    canvas = PlotCanvas()
    qtbot.addWidget(canvas)
    drawn = []
    canvas.mpl_connect("draw_event", lambda _: drawn.append(1))
    canvas.fresh_axes().plot([0, 1], [1, 0])
    canvas.finish()
    qtbot.wait(100)
    assert not drawn
    canvas.show()
    qtbot.waitUntil(lambda: bool(drawn), timeout=10_000)
    before = len(drawn)
    canvas.fresh_axes().plot([0, 1], [0, 1])
    canvas.finish()
    qtbot.waitUntil(lambda: len(drawn) > before, timeout=10_000)
