"""Files to nouns and back; every guard against bad files lives here."""

from napari_slagseg.io.atomic import (
    atomic_file,
    atomic_folder,
    remove_leftovers,
    replace_folder,
    write_error,
)
from napari_slagseg.io.colours import COLOUR_TOLERANCE, match_colours
from napari_slagseg.io.conversion import convert_volume
from napari_slagseg.io.fingerprints import fingerprint
from napari_slagseg.io.grey_maps import read_grey_map
from napari_slagseg.io.landmarks import read_landmarks, write_landmarks
from napari_slagseg.io.legends import read_legend, write_legend
from napari_slagseg.io.mapped_volume import MappedVolume, shared_volume
from napari_slagseg.io.maps import read_mineral_map, write_false_colour, write_raster
from napari_slagseg.io.placements import placed_map_text, read_placed_map, write_placed_map
from napari_slagseg.io.pyramids import (
    Pyramid,
    add_levels,
    find_pyramid,
    multiscale_levels,
    pyramid_beside,
)
from napari_slagseg.io.raw import RawLayout
from napari_slagseg.io.store_checks import (
    check_disk,
    check_writable,
    check_zarr_volume,
    free_disk,
)
from napari_slagseg.io.tables import (
    read_frame,
    read_particle_table,
    remove_particle_table,
    write_figure,
    write_frame,
    write_particle_table,
)
from napari_slagseg.io.text import read_json, read_text, to_json, write_json, write_text
from napari_slagseg.io.truth import read_ground_truth, write_ground_truth
from napari_slagseg.io.volumes import (
    open_labels,
    read_labels,
    read_volume,
    stored_voxel_size,
    write_volume,
)
from napari_slagseg.io.workbook import write_workbook
from napari_slagseg.io.zarr_store import (
    CHUNK,
    SHARD,
    create_result_arrays,
    open_zarr_array,
    read_zarr_array,
    read_zarr_attributes,
    write_zarr_arrays,
    write_zarr_attributes,
)
from napari_slagseg.io.zarr_volume import ZarrVolume, new_zarr_volume

__all__ = [
    "CHUNK",
    "COLOUR_TOLERANCE",
    "SHARD",
    "MappedVolume",
    "Pyramid",
    "RawLayout",
    "ZarrVolume",
    "add_levels",
    "atomic_file",
    "atomic_folder",
    "check_disk",
    "check_writable",
    "check_zarr_volume",
    "convert_volume",
    "create_result_arrays",
    "find_pyramid",
    "fingerprint",
    "free_disk",
    "match_colours",
    "multiscale_levels",
    "new_zarr_volume",
    "open_labels",
    "open_zarr_array",
    "placed_map_text",
    "pyramid_beside",
    "read_frame",
    "read_grey_map",
    "read_ground_truth",
    "read_json",
    "read_labels",
    "read_landmarks",
    "read_legend",
    "read_mineral_map",
    "read_particle_table",
    "read_placed_map",
    "read_text",
    "read_volume",
    "read_zarr_array",
    "read_zarr_attributes",
    "remove_leftovers",
    "remove_particle_table",
    "replace_folder",
    "shared_volume",
    "stored_voxel_size",
    "to_json",
    "write_error",
    "write_false_colour",
    "write_figure",
    "write_frame",
    "write_ground_truth",
    "write_json",
    "write_landmarks",
    "write_legend",
    "write_particle_table",
    "write_placed_map",
    "write_raster",
    "write_text",
    "write_volume",
    "write_workbook",
    "write_zarr_arrays",
    "write_zarr_attributes",
]
