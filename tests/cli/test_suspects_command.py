"""slagseg suspects."""

import numpy as np
import pandas as pd
import pytest

from napari_slagseg import io
from napari_slagseg.project import Project


@pytest.fixture
def segmented(tiny_project):
    """A segmentation of two particles, one of them waisted."""
    opened = Project(tiny_project)
    particles = np.zeros(opened.description.ct.shape, np.uint32)
    particles[4:20, 4:20, 4:20] = 1
    particles[30:46, 30:46, 20:36] = particles[30:46, 30:46, 40:56] = 2
    particles[36:40, 36:40, 36:40] = 2
    sure = np.where(particles > 0, 240, 10).astype(np.uint8)
    io.write_zarr_arrays(
        opened.segmentation_path,
        {"phases": (particles > 0).astype(np.uint8), "particles": particles,
         "particle_probability": sure},
    )  # fmt: skip
    return tiny_project


def test_the_first_rows_and_counts(slagseg, segmented):
    answer = slagseg("suspects", segmented, "--first", 1, "--workers", 1)
    assert answer.code == 0, answer.err
    queue = pd.read_csv(segmented / "tables/suspects.csv")
    assert queue["label"].tolist() == [2, 1]
    assert "narrow neck" in answer.out
    assert answer.out.count("\n") == 5  # message, counts, head, one row, path
    stamp = (segmented / "tables/suspects.csv").stat().st_mtime_ns
    again = slagseg("suspects", segmented, "--json")
    assert again.values["message"] == "The suspects are up to date."
    assert again.values["suspects"] == 2
    assert [row["label"] for row in again.values["first"]] == [2, 1]
    assert again.values["kinds"] == queue["kind"].value_counts().to_dict()
    assert (segmented / "tables/suspects.csv").stat().st_mtime_ns == stamp


def test_before_a_segmentation(slagseg, refused, tiny_project):
    refused(slagseg("suspects", tiny_project), "Run 'segment' first")
