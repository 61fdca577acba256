"""After `warm_up` no edit has anything left to compile."""

import subprocess
import sys
from pathlib import Path

SCRIPT = """
import sys
import tempfile
from pathlib import Path

import numpy as np
from numba.core.dispatcher import Dispatcher

from napari_slagseg.workflow.configs import MeasureConfig
from napari_slagseg.workflow.proofreading import LiveTable, Proofreader, warm_up
from tests.workflow.proofreading.specimens import TABLE, made, specimen
from tests.workflow.proofreading.test_any_course import measured
from tests.workflow.proofreading.test_live_table import EDITS


def compiled():
    # every kernel, with the number of types that it is there for
    found = {}
    for name, module in list(sys.modules.items()):
        if name.startswith("napari_slagseg"):
            for key, value in vars(module).items():
                if isinstance(value, Dispatcher):
                    found[value.__module__, value.__name__] = len(value.signatures)
    return found


warm_up()
before = compiled()
assert sum(before.values()) > 20
labels, phases = specimen()
grey = np.where(labels > 0, 180, 40).astype(np.uint8)
grey[14:20, 22:30, 14:22] = 180
with tempfile.TemporaryDirectory() as folder:
    project = made(Path(folder), labels, phases, grey)
    with project.writing():
        reader = Proofreader(project)
        first = measured(reader)
        live = LiveTable(reader, first, MeasureConfig(erosion_voxels=1, accessible_depth_um=5.0))
        for edit in EDITS.values():
            live.follow(edit(reader))
            live.follow(reader.undo())
after = compiled()
new = {k: (before.get(k, 0), n) for k, n in after.items() if n != before.get(k, 0)}
assert not new, new
print("nothing new")
"""


def test_nothing_is_left_to_compile():
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=root, capture_output=True, text=True, timeout=600
    )
    assert done.stdout.endswith("nothing new\n"), done.stderr[-2000:]
