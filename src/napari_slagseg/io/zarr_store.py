"""Zarr stores: our own arrays, and OME-Zarr volumes from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.codecs import ZstdCodec

from napari_slagseg.data import SlagsegError, VoxelSize
from napari_slagseg.io.atomic import atomic_folder, recover_folder
from napari_slagseg.io.guards import check_numeric
from napari_slagseg.io.tiff import MICROMETRES

CHUNK = 96
"""Edge of a chunk in voxels: about 1 MB of labels, a few dozen chunks a 512^3 volume side."""


def is_zarr(path: Path) -> bool:
    """Whether the folder is a Zarr group or array."""
    return any((path / name).is_file() for name in ("zarr.json", ".zgroup", ".zarray"))


def split_store(path: Path) -> tuple[Path, str] | None:
    """Store and inner path of ``STORE.zarr/inner``; None where no part is a Zarr store."""
    recover_folder(path)
    for store in (path, *path.parents):
        if store.is_dir() and is_zarr(store):
            while store.parent.is_dir() and is_zarr(store.parent):
                store = store.parent
            return store, path.relative_to(store).as_posix().strip(".")
    return None


def _open(path: Path) -> Any:
    recover_folder(path)
    if not path.exists():
        raise SlagsegError(f"{path} does not exist. Check the name of the Zarr store.")
    try:
        return zarr.open(path, mode="r")
    except Exception as error:  # zarr raises whatever its codecs raise
        raise SlagsegError(
            f"{path} cannot be opened as a Zarr store ({error}). It may be damaged or incomplete."
        ) from error


def open_zarr_array(path: str | Path, name: str = "") -> zarr.Array[Any]:
    """Open one array of a store without reading it.

    Raises
    ------
    SlagsegError
        If the store or the array is missing, or it holds Python objects.
    """
    path = Path(path)
    node = _open(path)
    if name:
        if isinstance(node, zarr.Array) or name not in node:
            has = [] if isinstance(node, zarr.Array) else sorted(n for n, _ in node.members())
            raise SlagsegError(f"{path} has no array '{name}'. It has: {', '.join(has) or 'none'}.")
        node = node[name]
    if not isinstance(node, zarr.Array):
        raise SlagsegError(
            f"{path}{'/' + name if name else ''} is a group, not an array. "
            f"Name one of its arrays: {', '.join(sorted(n for n, _ in node.members()))}."
        )
    check_numeric(np.dtype(node.dtype), f"{path}/{name}")
    return node


def read_zarr_array(path: str | Path, name: str = "") -> NDArray[Any]:
    """Read one array of a store into memory."""
    array = open_zarr_array(path, name)
    try:
        return np.asarray(array[...])
    except Exception as error:  # zarr raises whatever its codecs raise
        raise SlagsegError(
            f"Array '{name}' of {path} cannot be read ({error}). The store is damaged; "
            "run the step that made it again."
        ) from error


def _multiscale(group: Any) -> tuple[str, dict[str, Any]] | None:
    """Path of the finest level and the multiscale entry of an OME-Zarr group."""
    attributes = dict(group.attrs)
    entries = attributes.get("ome", attributes).get("multiscales")
    if not entries:
        return None
    try:
        return str(entries[0]["datasets"][0]["path"]), dict(entries[0])
    except (KeyError, IndexError, TypeError) as error:
        raise SlagsegError(
            f"{group.store_path} has damaged OME-Zarr metadata (multiscales: {error})."
        ) from error


def _volume_node(path: Path) -> tuple[Any, VoxelSize | None]:
    """Array behind a path into a store, and the voxel size stated for it."""
    parts = split_store(path)
    store, inner = parts if parts else (path, "")
    root = _open(store)
    node = root
    if inner:
        if isinstance(node, zarr.Array) or inner not in node:
            raise SlagsegError(f"{store} has no array or group '{inner}'.")
        node = node[inner]
    size: VoxelSize | None = None
    if not isinstance(node, zarr.Array):
        found = _multiscale(node)
        if found is not None:
            level, entry = found
            axes = [a if isinstance(a, dict) else {"name": a} for a in entry.get("axes", [])]
            size = _scale(entry, axes)
            if level not in node:
                raise SlagsegError(f"{path} names the level '{level}' but does not hold it.")
            node = node[level]
        else:
            arrays = sorted(n for n, child in node.members() if isinstance(child, zarr.Array))
            if len(arrays) != 1:
                raise SlagsegError(
                    f"{path} is a Zarr group with the arrays {', '.join(arrays) or 'none'} "
                    f"and no OME metadata. Name one of them: {path}/NAME."
                )
            size = _own_size(node)
            node = node[arrays[0]]
    if not isinstance(node, zarr.Array):
        raise SlagsegError(f"{path} holds no array.")
    check_numeric(np.dtype(node.dtype), str(path))
    return node, size or _own_size(node) or _own_size(root)


def read_ome_zarr(path: Path) -> tuple[NDArray[Any], VoxelSize | None]:
    """Finest level of an OME-Zarr image (0.4 and 0.5), or a plain array.

    Axes of time and channel must have length one. The array is read into memory.

    Returns
    -------
    data : (z, y, x) array
    voxel_size_um : (z, y, x) or None
        None where the store states no scale with a unit of length.
    """
    node, size = _volume_node(path)
    shape = tuple(node.shape)
    while len(shape) > 3 and shape[0] == 1:
        shape = shape[1:]
    try:
        return np.asarray(node[...]).reshape(shape), size
    except Exception as error:  # zarr raises whatever its codecs raise
        raise SlagsegError(f"{path} cannot be read ({error}). The store is damaged.") from error


def read_ome_zarr_size(path: Path) -> VoxelSize | None:
    """Voxel size that a store states; nothing is read but its metadata."""
    return _volume_node(path)[1]


def _scale(entry: Mapping[str, Any], axes: list[dict[str, Any]]) -> VoxelSize | None:
    """Voxel size of the finest level; level and image scales multiply (OME-Zarr)."""
    steps = [*entry["datasets"][0].get("coordinateTransformations", [])]
    steps += entry.get("coordinateTransformations", []) or []
    scale = np.ones(len(axes))
    found = False
    for step in steps:
        if step.get("type") == "scale" and len(step["scale"]) == len(axes):
            scale *= np.asarray(step["scale"], dtype=float)
            found = True
    sizes = []
    for name in "zyx":
        at = [i for i, axis in enumerate(axes) if axis.get("name") == name]
        if not at or not found:
            return None
        unit = str(axes[at[0]].get("unit") or "").lower()
        if unit not in MICROMETRES:
            return None
        sizes.append(float(scale[at[0]]) * MICROMETRES[unit])
    return (sizes[0], sizes[1], sizes[2])


def _own_size(node: Any) -> VoxelSize | None:
    size = node.attrs.get("voxel_size_um")
    if isinstance(size, (list, tuple)) and len(size) == 3:
        return (float(size[0]), float(size[1]), float(size[2]))
    return None


def write_zarr_arrays(
    path: str | Path,
    arrays: Mapping[str, NDArray[Any]],
    voxel_size_um: VoxelSize | None = None,
    attributes: Mapping[str, Any] | None = None,
) -> None:
    """Write a Zarr 3 group of arrays; it appears whole or not at all.

    Parameters
    ----------
    path : path
        The store; an older one is replaced only when the new one is complete.
    arrays : mapping of name to array
        Compressed with zstd; volumes in chunks of `CHUNK` voxels.
    voxel_size_um : (z, y, x), optional
        Kept as the attribute ``voxel_size_um``.
    attributes : mapping, optional
        JSON values for the group.
    """
    with atomic_folder(path) as temporary:
        group = zarr.open_group(temporary, mode="w", zarr_format=3)
        for name, data in arrays.items():
            chunks = tuple(max(1, min(s, CHUNK if data.ndim == 3 else 1 << 18)) for s in data.shape)
            if data.ndim == 2:
                chunks = tuple(max(1, min(s, 1024)) for s in data.shape)
            array = group.create_array(
                name,
                shape=data.shape,
                dtype=data.dtype,
                chunks=chunks,
                compressors=[ZstdCodec(level=3)],
            )
            if data.size:
                array[...] = data
        values = dict(attributes or {})
        if voxel_size_um is not None:
            values["voxel_size_um"] = list(voxel_size_um)
        if values:
            group.attrs.update(values)


def read_zarr_attributes(path: str | Path) -> dict[str, Any]:
    """Attributes of a store's root."""
    return dict(_open(Path(path)).attrs)


__all__ = [
    "is_zarr",
    "open_zarr_array",
    "read_ome_zarr",
    "read_ome_zarr_size",
    "read_zarr_array",
    "read_zarr_attributes",
    "split_store",
    "write_zarr_arrays",
]
