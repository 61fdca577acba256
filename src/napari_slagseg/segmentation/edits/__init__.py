"""What a user corrects in particles and phases, as functions on a box of the volume.

Each takes arrays of a box that holds the whole of the particles concerned, changes none of
them, and hands back copies with the change. Where a voxel becomes part of a particle or
background, its phase follows: particles lie where a phase is.
"""

from napari_slagseg.segmentation.edits.edited import Edited, Point
from napari_slagseg.segmentation.edits.joining import delete, merge
from napari_slagseg.segmentation.edits.splitting import split
from napari_slagseg.segmentation.edits.strokes import split_by_stroke

__all__ = ["Edited", "Point", "delete", "merge", "split", "split_by_stroke"]
