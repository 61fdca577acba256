"""A CT of any format as OME-Zarr with levels, which is read fastest by boxes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from napari_slagseg.data import Block, BlockGrid, BlockRun, Volume, VolumeLike
from napari_slagseg.io.atomic import atomic_folder
from napari_slagseg.io.mapped_volume import shared_volume
from napari_slagseg.io.ome_zarr import image_attributes
from napari_slagseg.io.pyramids import add_levels, planewise
from napari_slagseg.io.store_checks import check_disk, check_writable
from napari_slagseg.io.zarr_volume import CHUNK, SHARD, ZarrVolume, add_array


@dataclass(frozen=True)
class CopyBlock:
    """`BlockTask` that copies a block of a volume into another of the same shape."""

    source: VolumeLike
    target: ZarrVolume

    def __call__(self, block: Block, given: Any = None, /) -> None:
        """Read the block once, and write it file by file."""
        data = np.asarray(self.source[block.box])
        for part in BlockGrid.of(block.shape, self.target.file_edges):
            whole = tuple(slice(s.start + a, s.stop + a) for s, a in zip(part.box, block.start))
            self.target[whole] = data[part.box]


def convert_volume(volume: Volume, path: str | Path, run: BlockRun | None = None) -> None:
    """Write a CT as OME-Zarr 0.5 in shards, uncompressed, with levels for viewing.

    Block by block, so that it need not fit in memory; the store appears whole or not
    at all.

    Parameters
    ----------
    volume : Volume
        As `read_volume` gives it.
    path : path
        ``ct.zarr``; an older one is replaced.
    run : BlockRun, optional
        Where to work; one that keeps records must not be resumed, as what it wrote is gone
        when it is stopped. In this thread if not given.

    Raises
    ------
    SlagsegError
        If there is no space or no permission, or the CT is damaged.
    """
    path = Path(path)
    source = shared_volume(volume.data)
    shape = volume.shape
    check_writable(path.parent)
    n_bytes = int(np.prod(shape, dtype=np.int64)) * source.dtype.itemsize
    check_disk(path.parent, int(n_bytes * 8 / 7), f"{path} and its levels")
    depth = CHUNK if planewise(source) else SHARD
    edges = (depth, *shape[1:]) if planewise(source) else (SHARD,) * 3
    with atomic_folder(path) as temporary:
        attributes = image_attributes(path.stem, 3, volume.voxel_size_um)
        group = zarr.open_group(temporary, mode="w", zarr_format=3, attributes=attributes)
        add_array(group, "0", shape, source.dtype, compress=False, shard_depth=depth)
        task = CopyBlock(source, ZarrVolume(str(temporary), "0"))
        blocks = list(BlockGrid.of(shape, edges))
        if run is None:
            for block in blocks:
                task(block)
        else:
            run.stage("copy-ct", task, blocks=blocks, says="copying the CT", part=(0.0, 0.6))
        add_levels(temporary, "", "grey", run, part=(0.6, 1.0))


__all__ = ["CopyBlock", "convert_volume"]
