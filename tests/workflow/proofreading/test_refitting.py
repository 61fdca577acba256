"""Edits done again on another segmentation of the same volume."""

import numpy as np
import pytest

from napari_slagseg.data import Action, EditedVolume, SlagsegError, delta_between
from napari_slagseg.workflow.proofreading.refitting import Refit, seen_of

SHAPE = (10, 10, 40)
LARGEST_THEN, LARGEST_NOW = 3, 93


def then():
    """Particles 1, 2 and 3 in a row along x, 2 and 3 touching."""
    labels = np.zeros(SHAPE, np.uint32)
    labels[2:8, 2:8, 2:10], labels[2:8, 2:8, 12:20], labels[2:8, 2:8, 20:28] = 1, 2, 3
    return labels


def now():
    """The same particles by other numbers."""
    return np.array([0, 91, 93, 92], np.uint32)[then()]


class Then:
    """Edits of particles in memory, as a history stores them."""

    def __init__(self):
        self.labels = then()

    def edit(self, kind, after):
        delta = delta_between("particles", (0, 0, 0), self.labels, after.astype(np.uint32))
        action = Action(kind, seen_of(delta, self.labels, (0, 0, 0)), (delta,))
        self.labels = after.astype(np.uint32)
        return action

    def delete(self, label):
        return self.edit("delete", np.where(self.labels == label, 0, self.labels))

    def merge(self, first, other):
        return self.edit("merge", np.where(self.labels == other, first, self.labels))

    def split(self, label, new):
        after = self.labels.copy()
        after[5:][after[5:] == label] = new
        return self.edit("split", after)


def refit(labels, at_least=1.0):
    volume = EditedVolume(labels)
    return volume, Refit({"particles": volume}, LARGEST_THEN, LARGEST_NOW, at_least)


def test_edits_find_their_particles_by_other_numbers():
    edits = Then()
    actions = [edits.merge(2, 3), edits.delete(1), edits.split(2, 4), edits.merge(4, 2)]
    volume, fit = refit(now())
    assert [fit.do(a).fate for a in actions] == ["whole"] * 4
    # all of 2 and 3 is the new particle of the split, which is the first new number
    assert np.array_equal(volume[...], np.where(now() > 91, 94, 0))
    assert fit.largest == 94


def test_a_particle_that_is_gone_is_a_conflict_and_what_came_of_it_too():
    edits = Then()
    actions = [edits.split(1, 4), edits.delete(4), edits.delete(2)]
    other = np.where(now() == 91, 0, now()).astype(np.uint32)
    volume, fit = refit(other)
    found = [fit.do(a) for a in actions]
    assert [f.fate for f in found] == ["conflict", "conflict", "whole"]
    assert found[0].why == "particle 1 is not there any more"
    assert found[1].why == "particle 4 comes from an earlier edit, which does not hold here"
    assert np.array_equal(volume[...], np.where(other == 93, 0, other))


def test_a_particle_that_only_grows_is_known_by_a_voxel_of_it():
    edits = Then()
    action = edits.merge(2, 3)
    z, y, x = action.parameters["seen"]["2"]
    assert then()[z, y, x] == 2
    other = np.where(now() == 93, 0, now()).astype(np.uint32)
    volume, fit = refit(other)
    found = fit.do(action)
    assert found.fate == "conflict"
    assert found.why == "particle 2, which it adds to, is not there any more"
    assert np.array_equal(volume[...], other)


@pytest.mark.parametrize(
    ("at_least", "fate"), [(1.0, "conflict"), (0.8, "in part"), (0.9, "conflict")]
)
def test_voxels_that_do_not_fit(at_least, fate):
    """One of the eight layers of particle 1 belongs to another particle now."""
    edits = Then()
    action = edits.edit("paint", np.where(edits.labels == 1, 0, edits.labels))
    other = now()
    other[2:8, 2:8, 2] = 92
    volume, fit = refit(other, at_least)
    found = fit.do(action)
    assert (found.fate, found.fits, found.voxels) == (fate, 7 * 36, 8 * 36)
    wanted = np.where(other == 91, 0, other) if fate == "in part" else other
    assert np.array_equal(volume[...], wanted)


def test_what_is_so_already_fits():
    edits = Then()
    action = edits.edit("paint", np.where(edits.labels == 1, 0, edits.labels))
    other = now()
    other[2:8, 2:8, 2:5] = 0  # most of it is there
    volume, fit = refit(other)
    assert fit.do(action).fate == "whole"
    assert not (volume[...] == 91).any()


def grown():
    """Particle 91 (1 then), of 8 layers, has got 4 more, which lie beyond the edit's box."""
    other = now()
    other[2:8, 2:8, :2], other[2:8, 2:8, 10:12] = 91, 91
    return other


def test_a_deleted_particle_is_deleted_as_it_is_now():
    action = Then().delete(1)
    volume, fit = refit(grown())
    found = fit.do(action)
    assert (found.fate, found.fits, found.voxels) == ("again", 288, 288)
    assert np.array_equal(volume[...], np.where(grown() == 91, 0, grown()))


def test_particles_are_merged_as_they_are_now():
    edits = Then()
    action = edits.merge(3, 1)
    volume, fit = refit(grown())
    assert fit.do(action).fate == "again"
    assert np.array_equal(volume[...], np.where(grown() == 91, 92, grown()))


def test_a_particle_that_is_mostly_another_one_is_a_conflict():
    other = grown()
    other[8:, 2:8, :12] = 91  # 8 layers of 36, 4 more, and 2 x 6 x 12 beside: 288 of 576
    volume, fit = refit(other)
    found = fit.do(Then().delete(1))
    assert found.why == "particle 1 is another one now: they share 50% of their voxels"
    assert np.array_equal(volume[...], other)


def test_particles_that_are_merged_already():
    edits = Then()
    action = edits.merge(2, 3)
    other = np.where(now() == 92, 93, now()).astype(np.uint32)
    found = refit(other)[1].do(action)
    assert found.why == "particle 3 is one with what it was merged with"


def test_phases_go_with_a_deleted_particle():
    phases = np.where(grown() == 91, 2, np.where(grown() > 0, 1, 0)).astype(np.uint8)
    gone = Then().delete(1).deltas[0]
    was = (then() > 0).astype(np.uint8)
    other = delta_between("phases", (0, 0, 0), was, np.where(then() == 1, 0, was).astype(np.uint8))
    volumes = {"particles": EditedVolume(grown()), "phases": EditedVolume(phases, "phases")}
    fit = Refit(volumes, LARGEST_THEN, LARGEST_NOW)
    assert fit.do(Action("delete", {}, (gone, other))).fate == "again"
    assert np.array_equal(volumes["phases"][...] > 0, grown() > 91)


def test_an_action_is_done_whole_or_not_at_all():
    """The particles fit, the phases do not."""
    particles, phases = now(), (now() > 0).astype(np.uint8)
    gone = Then().delete(1).deltas[0]
    was = np.where(then() > 0, 2, 0).astype(np.uint8)
    other = delta_between("phases", (0, 0, 0), was, np.where(then() == 1, 0, was).astype(np.uint8))
    volumes = {"particles": EditedVolume(particles), "phases": EditedVolume(phases, "phases")}
    found = Refit(volumes, LARGEST_THEN, LARGEST_NOW).do(Action("paint", {}, (gone, other)))
    assert found.why == "288 of its 576 voxels hold something else now"
    assert np.array_equal(volumes["particles"][...], particles)
    assert np.array_equal(volumes["phases"][...], phases)


def test_a_share_that_is_none():
    with pytest.raises(SlagsegError, match=r"is 1\.5; it must lie above 0"):
        Refit({}, 0, 0, 1.5)
