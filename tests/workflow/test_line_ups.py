"""Particles cut from a project by their rows: the right voxels, and no others read."""

import numpy as np
import pandas as pd
import pytest

from napari_slagseg.workflow.line_ups import (
    ParticleVolumes,
    box_around,
    particle_pictures,
)

SIZE = (3.0, 2.0, 1.0)
SHAPE = (30, 60, 90)


class Noting:
    """Volume that notes what was read of it."""

    def __init__(self, array):
        self.array, self.read = array, []
        self.shape, self.dtype = array.shape, array.dtype

    def __getitem__(self, key):
        part = self.array[key]
        self.read.append(part.size)
        return part


@pytest.fixture
def labels():
    """An L of particle 7, far from its own centroid, and a lone voxel of particle 9."""
    labels = np.zeros(SHAPE, np.uint32)
    labels[10:12, 20:50, 30:33] = 7
    labels[10:12, 47:50, 33:60] = 7
    labels[29, 59, 89] = 9
    labels[0:2] = 3
    return labels


def row(labels, label, extents=True):
    at = np.argwhere(labels == label)
    found = {"label": label}
    edges = (np.ptp(at, axis=0) + 1) * SIZE
    for axis, middle, edge in zip("zyx", at.mean(0) * SIZE, edges):
        found[f"centroid_{axis}_um"] = middle
        if extents:
            found[f"extent_{axis}_um"] = edge
    names = ("axis_major_um", "axis_intermediate_um", "axis_minor_um")
    found.update(zip(names, sorted(edges)[::-1]))
    return found


@pytest.mark.parametrize("extents", [True, False])
@pytest.mark.parametrize("label", [3, 7, 9])
def test_the_box_holds_the_whole_particle(labels, label, extents):
    box = box_around(row(labels, label, extents), SIZE, SHAPE)
    assert (labels[box] == label).sum() == (labels == label).sum()
    assert all(0 <= s.start < s.stop <= n for s, n in zip(box, SHAPE))


def test_only_the_box_of_a_particle_is_read(labels):
    volume, phases = Noting(labels), Noting((labels % 4).astype(np.uint8))
    inside, of, size = ParticleVolumes((volume,), (phases,), SIZE).cut(row(labels, 7))
    assert inside.shape == of.shape == (2, 30, 30)
    assert size == SIZE
    assert np.array_equal(inside, labels[10:12, 20:50, 30:60] == 7)
    assert np.all(of[inside] == 3)
    (read,) = volume.read
    # at most twice as long along every axis, with a rim
    assert read <= 9 * 66 * 66
    assert phases.read == [inside.size]


def test_large_particles_are_read_coarser(monkeypatch, labels):
    monkeypatch.setattr("napari_slagseg.workflow.line_ups.FINE_ENOUGH", 20)
    fine, coarse = Noting(labels), Noting(labels[::2, ::2, ::2])
    volumes = ParticleVolumes((fine, coarse), (fine, coarse), SIZE)
    inside, _, size = volumes.cut(row(labels, 7))
    assert size == (6.0, 4.0, 2.0)
    assert not fine.read
    assert inside.shape == (1, 15, 15)


def test_a_particle_that_is_lost_on_a_coarse_level_is_read_fine(monkeypatch, labels):
    monkeypatch.setattr("napari_slagseg.workflow.line_ups.FINE_ENOUGH", 1)
    fine, coarse = Noting(labels), Noting(labels[::2, ::2, ::2])
    inside, _, size = ParticleVolumes((fine, coarse), (fine, coarse), SIZE).cut(row(labels, 9))
    assert size == SIZE
    assert inside.sum() == 1


def test_pictures_come_in_the_order_of_the_rows(labels):
    volumes = ParticleVolumes((labels,), (np.ones(SHAPE, np.uint8),), SIZE)
    gone = {**row(labels, 9), "label": 77}
    frame = pd.DataFrame([row(labels, 9), gone, row(labels, 7)])
    lone, none, bent = particle_pictures(volumes, frame, {1: (255, 0, 0)})
    assert none is None
    assert (lone.label, bent.label) == (9, 7)
    assert lone.size_um == (2.0, 1.0)
    assert bent.size_um == (60.0, 30.0)
    # 30 voxels across: drawn with four pixels along each edge of a voxel
    seen = (bent.rgba[..., 3] > 0).sum() / 16
    assert seen == pytest.approx((labels[10] == 7).sum(), rel=0.02)
    stop = iter([False, True])
    assert len(list(particle_pictures(volumes, frame, {}, cancelled=lambda: next(stop)))) == 1
