"""Edits of the labels on disk: the journal that never loses one, and the history over it."""

from napari_slagseg.project.edits.history import Entry, History
from napari_slagseg.project.edits.journal import CutTail, EditJournal, Record

__all__ = ["CutTail", "EditJournal", "Entry", "History", "Record"]
