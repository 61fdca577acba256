"""A small segmented project to correct by hand."""

import numpy as np
import pytest
from tests.workflow.proofreading.specimens import made, specimen

from napari_slagseg.workflow.proofreading import Proofreader


@pytest.fixture
def labels():
    return specimen()[0]


@pytest.fixture
def phases():
    return specimen()[1]


@pytest.fixture
def project(tmp_path, labels, phases):
    grey = np.where(labels > 0, 180, 40).astype(np.uint8)
    grey[14:20, 22:30, 14:22] = 180  # bright, and not segmented
    made_ = made(tmp_path, labels, phases, grey)
    with made_.writing():
        yield made_


@pytest.fixture
def reader(project):
    return Proofreader(project)
