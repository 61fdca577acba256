from __future__ import annotations

import resource
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from napari_slagseg.data import Phase, PhaseTable

_DATA = Path(__file__).parents[2].parent / "shared" / "data"


@pytest.fixture
def shared_data() -> Path:
    if not _DATA.is_dir():
        pytest.skip(f"the real data ({_DATA}) are not on this machine")
    return _DATA


@pytest.fixture
def ramp() -> NDArray[np.uint16]:
    """(5, 7, 11) volume in which every voxel has another value."""
    return np.arange(5 * 7 * 11, dtype=np.uint16).reshape(5, 7, 11)


@pytest.fixture
def table() -> PhaseTable:
    return PhaseTable(
        (
            Phase(0, "background", "#000000"),
            Phase(1, "spodumene", "#d55e00", "Spd", "LiAlSi2O6", 3.15),
            Phase(2, "quartz", "#0072b2", "Qz", "SiO2", 2.65, "gangue"),
            Phase(3, "mica, dark", "#009e73", group="gangue"),
        )
    )


@pytest.fixture
def largest_file() -> Callable[[int], AbstractContextManager[None]]:
    """Have the system refuse to write files beyond so many bytes: a disk that is full."""

    @contextmanager
    def limit(n_bytes: int) -> Iterator[None]:
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    return limit
