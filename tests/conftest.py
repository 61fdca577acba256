"""Settings of the whole test run."""

import os
import tempfile

# before any library is loaded: two threads, as on the smallest machine, and no
# settings of the user's own napari (numba is loaded already, by napari's plugin for
# pytest, and takes no other number once its threads run: the Makefile tells it)
for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "2")
os.environ["NAPARI_CONFIG"] = os.path.join(tempfile.mkdtemp(prefix="slagseg-test-"), "s.yaml")
os.environ.setdefault("MPLBACKEND", "agg")

from hypothesis import settings  # noqa: E402

settings.register_profile("slagseg", deadline=None, derandomize=True, max_examples=30)
settings.load_profile("slagseg")
