"""One table of keys, that clashes with none of napari's but where it says so."""

from pathlib import Path

import numpy as np
import pytest
from napari.layers import Image, Labels
from napari.utils.key_bindings import coerce_keybinding
from qtpy.QtCore import Qt

from napari_slagseg.widgets import layers
from napari_slagseg.widgets.proofreading.dock import ProofreadDock
from napari_slagseg.widgets.proofreading.keys import (
    KEYS,
    OVER_NAPARI,
    KeyBinder,
    exceptions_in_docs,
    keys_in_docs,
    keys_in_help,
)
from napari_slagseg.widgets.proofreading.tools import TOOLS

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "proofread.md"


def ours():
    return {coerce_keybinding(key): key for k in KEYS for key in k.keys}


def test_no_key_means_two_things():
    assert len(ours()) == sum(len(k.keys) for k in KEYS)
    assert len({k.action for k in KEYS}) == len(KEYS)


def test_none_is_a_key_of_naparis_viewer(make_napari_viewer):
    from napari.settings import get_settings
    from napari.utils.action_manager import action_manager  # fills the table of shortcuts

    make_napari_viewer()
    assert action_manager is not None
    of_viewer = {
        coerce_keybinding(key)
        for name, keys in get_settings().shortcuts.shortcuts.items()
        if not any(kind in name for kind in _LAYER_ACTIONS)
        for key in keys
    }
    assert len(of_viewer) > 10
    assert not of_viewer & set(ours())


_LAYER_ACTIONS = (
    "labels", "label", "polygon", "points", "shape", "vertex", "select", "orient", "contrast",
    "image", "vectors", "tracks", "surface", "activate",
)  # fmt: skip


@pytest.mark.gui
def test_those_of_labels_layers_are_told_of(make_napari_viewer):
    make_napari_viewer()  # which binds them
    clash = {key for bound, key in ours().items() if bound in Labels.class_keymap}
    assert clash == set(OVER_NAPARI)
    assert not set(ours()) & set(Image.class_keymap)


def test_every_tool_has_a_key_and_every_key_does_something():
    actions = {k.action for k in KEYS}
    assert {t.name for t in TOOLS} < actions
    rest = actions - {t.name for t in TOOLS} - {"next", "previous", "accept", "fix", "skip"}
    assert all(callable(getattr(ProofreadDock, f"_{name}")) for name in rest)


def test_docs_and_help_hold_the_table():
    page = PAGE.read_text(encoding="utf-8")
    assert keys_in_docs() in page
    assert exceptions_in_docs() in page
    assert all(k.does in keys_in_help() for k in KEYS)


@pytest.mark.gui
def test_bindings_come_and_go(make_napari_viewer):
    viewer = make_napari_viewer()
    layer = viewer.add_labels(np.ones((2, 2), np.uint8))
    viewer.bind_key("N", lambda _: None)
    before = dict(viewer.keymap)
    did = []
    binder = KeyBinder(viewer, did.append)
    binder.begin()
    binder.follow(layer)
    binder.follow(layer)
    viewer.keymap[coerce_keybinding("N")](viewer)
    layer.keymap[coerce_keybinding("P")](layer)
    assert did == ["next", "previous"]
    binder.forget(layer)
    assert layer.keymap == {}
    binder.end()
    assert viewer.keymap == before
    assert coerce_keybinding("P") in Labels.class_keymap


@pytest.mark.gui
def test_p_is_naparis_on_the_brush_and_ours_on_the_particles(hands):
    asked = []
    hands.dock.keys._act = asked.append
    hands.key(Qt.Key.Key_P)
    assert asked == ["previous"]
    hands.dock.brush.open("particles")
    hands.dock.brush.layer.mode = "pan_zoom"
    hands.key(Qt.Key.Key_P)
    assert asked == ["previous"]
    assert hands.dock.brush.layer.mode == "paint"
    hands.key(Qt.Key.Key_N, Qt.KeyboardModifier.ShiftModifier)
    hands.key(Qt.Key.Key_N)
    assert asked == ["previous", "previous", "next"]


@pytest.mark.gui
def test_keys_are_naparis_again_when_the_dock_is_closed(hands):
    frame = hands.dock.parent()
    frame.hide()
    hands.qtbot.waitUntil(lambda: not hands.dock.keys.on)
    particles = hands.viewer.layers[layers.PARTICLES_LAYER]
    assert particles.keymap == {}
    assert not hands.desk.session.clicks_choose
    frame.show()
    frame.raise_()
    hands.qtbot.waitUntil(lambda: hands.dock.keys.on)
    hands.click((12, 14, 12))
    assert hands.desk.chosen == (1,)


@pytest.mark.gui
def test_keys_work_while_the_keyboard_is_in_the_dock(hands):
    hands.click((12, 14, 12))
    hands.dock.activateWindow()
    hands.dock.history.setFocus()
    assert {s.key().toString() for s in hands.dock.shortcuts} >= {"D", "Shift+D", "Ctrl+Z", "Esc"}
    shortcut = next(s for s in hands.dock.shortcuts if s.key().toString() == "K")
    shortcut.activated.emit()
    hands.settle()
    assert hands.desk.proofreader.locked() == {1}
