"""The nouns: what the steps hand to each other."""

from napari_slagseg.data.block_threads import MemoryStore, ThreadRun
from napari_slagseg.data.blocks import (
    Block,
    BlockGrid,
    BlockResult,
    BlockRun,
    BlockStore,
    BlockTask,
    Box,
    Triple,
    VolumeLike,
    WritableVolume,
)
from napari_slagseg.data.chemistry import ElementTable, element_mass_fractions, element_table
from napari_slagseg.data.coarse_edits import CoarseEdits
from napari_slagseg.data.edited_volume import EditedVolume
from napari_slagseg.data.edits import Action, Delta, delta_between
from napari_slagseg.data.errors import CancelledError, SlagsegError
from napari_slagseg.data.fields import FieldShift, on_surface
from napari_slagseg.data.grey_map import GreyMap
from napari_slagseg.data.landmarks import Landmarks
from napari_slagseg.data.mineral_map import MineralMap
from napari_slagseg.data.particle_table import (
    CONTACT_COLUMNS,
    GRAIN_COLUMNS,
    PARTICLE_COLUMNS,
    SECTION_COLUMNS,
    SECTION_CONTACT_COLUMNS,
    ColumnDefinition,
    ParticleTable,
)
from napari_slagseg.data.phases import BACKGROUND, UNKNOWN, Phase, PhaseTable, phase_table_of
from napari_slagseg.data.placement import (
    Cutout,
    CutoutGrade,
    CutoutState,
    PlacedMap,
    PlacementSurface,
    zyx_triple,
)
from napari_slagseg.data.running import (
    CancelToken,
    Progress,
    ProgressEvent,
    no_progress,
    part_of,
    stop_if_cancelled,
)
from napari_slagseg.data.sparse_truth import GroundTruth
from napari_slagseg.data.volume import Volume, VoxelSize, checked_voxel_size, require_cubic
from napari_slagseg.data.voxel_values import values_at

__all__ = [
    "BACKGROUND",
    "CONTACT_COLUMNS",
    "GRAIN_COLUMNS",
    "PARTICLE_COLUMNS",
    "SECTION_COLUMNS",
    "SECTION_CONTACT_COLUMNS",
    "UNKNOWN",
    "Action",
    "Block",
    "BlockGrid",
    "BlockResult",
    "BlockRun",
    "BlockStore",
    "BlockTask",
    "Box",
    "CancelToken",
    "CancelledError",
    "CoarseEdits",
    "ColumnDefinition",
    "Cutout",
    "CutoutGrade",
    "CutoutState",
    "Delta",
    "EditedVolume",
    "ElementTable",
    "FieldShift",
    "GreyMap",
    "GroundTruth",
    "Landmarks",
    "MemoryStore",
    "MineralMap",
    "ParticleTable",
    "Phase",
    "PhaseTable",
    "PlacedMap",
    "PlacementSurface",
    "Progress",
    "ProgressEvent",
    "SlagsegError",
    "ThreadRun",
    "Triple",
    "Volume",
    "VolumeLike",
    "VoxelSize",
    "WritableVolume",
    "checked_voxel_size",
    "delta_between",
    "element_mass_fractions",
    "element_table",
    "no_progress",
    "on_surface",
    "part_of",
    "phase_table_of",
    "require_cubic",
    "stop_if_cancelled",
    "values_at",
    "zyx_triple",
]
