"""slagseg teach, as far as it goes without training."""

import json

import pytest

from napari_slagseg import io
from napari_slagseg.cli.teach import score_lines
from napari_slagseg.project import Project
from napari_slagseg.workflow.proofreading.conflicts import Conflict, write_conflicts
from napari_slagseg.workflow.proofreading.proposal_words import VERSIONS, change_sentence
from napari_slagseg.workflow.proofreading.proposing import proposal_edits

SCORES = {
    name: {
        "training": {
            "particles": {
                "f1_match": 0.5, "f1_instance": 0.25, "merger_ratio": 0.125,
                "splitter_ratio": float("nan"),
            }
        }
    }
    for name in VERSIONS
}  # fmt: skip
CHANGES = {"before": 3, "after": 2000, "unchanged": 1500, "changed": 300, "new": 200, "gone": 1}


@pytest.fixture
def waiting(tiny_project):
    """A project with a proposal of two conflicts."""
    project = Project(tiny_project)
    io.write_zarr_arrays(project.proposal.segmentation, {}, attributes={"id": "abc"})
    folder = proposal_edits(project).folder_of()
    folder.mkdir(parents=True)
    write_conflicts(
        folder,
        [
            Conflict("cut", n, 7, 9, 30, (n, 2, 3), (1.0, 2.0, 3.0), f"Sentence {n}.")
            for n in (4, 5)
        ],
    )
    project.proposal.finish(
        {
            "made": "now",
            "scores": SCORES,
            "changes": CHANGES,
            "records": ["hidden"],
            "key": "hidden",
        }
    )
    return tiny_project


def test_what_was_proposed_is_shown(slagseg, waiting):
    answer = slagseg("teach", waiting, "--show")
    assert answer.code == 0, answer.err
    assert "Of 2,000 particles 1,500 are as they were" in answer.out
    assert "4, 2, 3 (z, y, x)  Sentence 4." in answer.out
    values = slagseg("teach", waiting, "--show", "--json").values
    assert [c["sentence"] for c in values["list_of_conflicts"]] == ["Sentence 4.", "Sentence 5."]
    assert "hidden" not in json.dumps(values)


def test_keeping_the_present_one(slagseg, waiting, refused):
    answer = slagseg("teach", waiting, "--discard")
    assert answer.code == 0, answer.err
    assert not (waiting / "proposal").exists()
    refused(slagseg("teach", waiting, "--show"), "Run 'teach' first")


def test_the_words_about_a_proposal_stand_alone(slagseg, waiting, refused):
    refused(slagseg("teach", waiting, "--accept", "--discard"), "each stand alone")
    refused(slagseg("teach", waiting, "--accept", "--epochs", 3), "each stand alone")


def test_before_anything_was_made(slagseg, tiny_project, refused):
    refused(slagseg("teach", tiny_project), "Run 'annotate' first")


def test_lines():
    lines = score_lines(SCORES)
    assert len(lines) == 5  # a head, and four versions on one part of the truth
    assert lines[1].split() == [
        "trained", "on:", "present,", "as", "segmented", "0.500", "0.250", "0.125", "–",
    ]  # fmt: skip
    assert change_sentence(CHANGES).endswith("1 of 3 are gone.")
