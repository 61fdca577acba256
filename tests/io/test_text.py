"""JSON that is fast to write and still to be read by people."""

import json

import numpy as np
import pytest

from napari_slagseg.io.text import json_lines


def test_an_object_has_a_line_for_each_entry_and_item():
    value = {
        "name": "Füße",
        "none": None,
        "list": [1, 2.5, float("nan")],
        "array": np.arange(6.0).reshape(2, 3),
        "items": [{"a": 1, "b": np.float32(0.5)}, {"a": 2, "b": float("inf")}],
        "empty": [],
        "object": {"x": {"y": True}},
    }
    text = json_lines(value)
    assert json.loads(text) == {
        "name": "Füße",
        "none": None,
        "list": [1, 2.5, None],
        "array": [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]],
        "items": [{"a": 1, "b": 0.5}, {"a": 2, "b": None}],
        "empty": [],
        "object": {"x": {"y": True}},
    }
    assert "Füße" in text
    assert text.endswith("}\n")
    # braces, seven entries, and of the items their own lines and the closing bracket
    assert len(text.splitlines()) == 2 + 7 + 3
    assert json.loads(json_lines({})) == {}


def test_what_json_does_not_know_is_refused():
    with pytest.raises(TypeError):
        json_lines({"a": object()})
