from __future__ import annotations

import subprocess
import sys


def test_importing_io_loads_nothing_heavy() -> None:
    heavy = ("torch", "numba", "matplotlib", "skimage", "napari", "qtpy", "SimpleITK")
    code = f"import sys, napari_slagseg.io; print([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
