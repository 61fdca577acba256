"""One table of keys for bindings, tooltips and docs."""

from pathlib import Path

import pytest
from qtpy.QtCore import Qt

from napari_slagseg.registration.steering import Nudge
from napari_slagseg.widgets.alignment_keys import KEYS, found_key, keys_in_docs, shown_for

K, M = Qt.Key, Qt.KeyboardModifier


@pytest.mark.parametrize(
    ("key", "held", "nudge", "factor"),
    [
        (K.Key_Up, M.NoModifier, Nudge(down=-1), 1),
        (K.Key_Down, M.ShiftModifier, Nudge(down=1), 5),
        (K.Key_Left, M.AltModifier, Nudge(right=-1), 0.2),
        (K.Key_Right, M.KeypadModifier, Nudge(right=1), 1),
        (K.Key_PageUp, M.NoModifier, Nudge(up=1), 1),
        (K.Key_PageDown, M.NoModifier, Nudge(up=-1), 1),
        (K.Key_BracketLeft, M.NoModifier, Nudge(turn_deg=-1), 1),
        (K.Key_BraceRight, M.ShiftModifier, Nudge(turn_deg=1), 5),
    ],
)
def test_nudging_keys(key, held, nudge, factor):
    found, times = found_key(key, held)
    assert found.nudge == nudge
    assert times == pytest.approx(factor)


@pytest.mark.parametrize(
    ("key", "held", "action"),
    [
        (K.Key_Z, M.ControlModifier, "undo"),
        (K.Key_Z, M.ControlModifier | M.ShiftModifier, "redo"),
        (K.Key_A, M.NoModifier, "accept"),
        (K.Key_A, M.ControlModifier, "all"),
        (K.Key_Escape, M.NoModifier, "none"),
    ],
)
def test_other_keys(key, held, action):
    assert found_key(key, held)[0].action == action


@pytest.mark.parametrize(
    ("key", "held"),
    [
        (K.Key_Up, M.ControlModifier),  # napari: the layer above
        (K.Key_Z, M.NoModifier),
        (K.Key_Delete, M.ControlModifier),
        (K.Key_A, M.ShiftModifier),
    ],
)
def test_other_combinations_are_left_alone(key, held):
    assert found_key(key, held) is None


def test_no_combination_means_two_things():
    seen = [(key, k.modifiers) for k in KEYS for key in k.keys]
    assert len(seen) == len(set(seen))


def test_the_docs_hold_the_table():
    page = Path(__file__).parents[2] / "docs" / "how-to" / "alignment.md"
    assert keys_in_docs() in page.read_text(encoding="utf-8")
    assert shown_for("redo") == "Ctrl+Shift+Z"
