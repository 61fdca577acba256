"""What a user corrects in particles and phases, as functions on a box of the volume.

Each takes arrays of a box that holds the whole of the particles concerned, changes none of
them, and hands back copies with the change. Where a voxel becomes part of a particle or
background, its phase follows: particles lie where a phase is.
"""

from napari_slagseg.segmentation.edits.edited import Edited, Point
from napari_slagseg.segmentation.edits.growing import grow_from_seed
from napari_slagseg.segmentation.edits.holes import fill_holes
from napari_slagseg.segmentation.edits.joining import delete, merge
from napari_slagseg.segmentation.edits.painting import add_by_painting
from napari_slagseg.segmentation.edits.relabelling import relabel_painted, relabel_region
from napari_slagseg.segmentation.edits.smoothing import smooth
from napari_slagseg.segmentation.edits.splitting import split
from napari_slagseg.segmentation.edits.strokes import split_by_stroke

__all__ = [
    "Edited",
    "Point",
    "add_by_painting",
    "delete",
    "fill_holes",
    "grow_from_seed",
    "merge",
    "relabel_painted",
    "relabel_region",
    "smooth",
    "split",
    "split_by_stroke",
]
