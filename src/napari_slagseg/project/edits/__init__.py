"""Edits of the labels on disk: the journal that never loses one, and the history over it."""

from napari_slagseg.project.edits.course import Entry
from napari_slagseg.project.edits.earlier import EarlierEdits
from napari_slagseg.project.edits.history import History
from napari_slagseg.project.edits.journal import CutTail, EditJournal, Record
from napari_slagseg.project.edits.segmented import SegmentationEdits
from napari_slagseg.project.edits.stored import StoredEdits, as_segmented

__all__ = [
    "CutTail",
    "EarlierEdits",
    "EditJournal",
    "Entry",
    "History",
    "Record",
    "SegmentationEdits",
    "StoredEdits",
    "as_segmented",
]
