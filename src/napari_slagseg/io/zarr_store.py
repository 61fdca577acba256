"""Zarr stores: our own arrays, and those of others, OME-Zarr or plain."""

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
from napari_slagseg.io.guards import check_memory, check_numeric
from napari_slagseg.io.ome_zarr import image_attributes, multiscale, spatial_axes
from napari_slagseg.io.stored import StoredArray
from napari_slagseg.io.text import plain, read_json

CHUNK = 96
"""Edge of a volume's chunk: under 1 MB of uint8, 3.5 MB of labels before compression."""


def is_zarr(path: Path) -> bool:
    """Whether the folder is a Zarr group or array."""
    return any((path / name).is_file() for name in ("zarr.json", ".zgroup", ".zarray", ".zattrs"))


def split_store(path: Path) -> tuple[Path, str] | None:
    """Store and inner path of ``STORE.zarr/inner``; None where no part is a Zarr store."""
    recover_folder(path)
    for store in (path, *path.parents):
        if store.is_dir() and is_zarr(store):
            while store.parent.is_dir() and is_zarr(store.parent):
                store = store.parent
            inner = path.relative_to(store).as_posix()
            return store, "" if inner == "." else inner
    return None


def _open(path: Path) -> Any:
    recover_folder(path)
    if not path.exists():
        raise SlagsegError(f"{path} does not exist. Check the name of the Zarr store.")
    try:
        return zarr.open(path, mode="r")
    except Exception as error:  # zarr raises whatever its codecs raise
        raise _not_opened(path, error) from error


def _not_opened(path: Path, error: Exception) -> SlagsegError:
    if "|O" in str(error) or "object" in str(error).lower():
        return SlagsegError(
            f"{path} holds Python objects (dtype object), which can carry code and are never "
            "opened. Save it as an array of numbers."
        )
    return SlagsegError(
        f"{path} cannot be opened as a Zarr store ({error}). It may be damaged or incomplete."
    )


def _member(node: Any, path: Path, name: str) -> Any:
    """Array or group within the group at `path`, or an error that lists what there is."""
    if isinstance(node, zarr.Array):
        raise SlagsegError(f"{path} is one array, not a group; it has no '{name}'.")
    try:
        return node[name]
    except KeyError as error:
        listed = ", ".join(_names(path)) or "none"
        raise SlagsegError(f"{path} has no array '{name}'. It has: {listed}.") from error
    except Exception as error:  # zarr raises whatever its codecs raise
        raise _not_opened(path / name, error) from error


def _names(path: Path) -> list[str]:
    # zarr's own list stops at the first member that it cannot open
    return sorted(p.name for p in path.iterdir() if p.is_dir() and is_zarr(p))


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
        node = _member(node, path, name)
    if not isinstance(node, zarr.Array):
        raise SlagsegError(
            f"{path}{'/' + name if name else ''} is a group, not an array. "
            f"Name one of its arrays: {', '.join(_names(path / name)) or 'it has none'}."
        )
    _check_type(node, f"{path}/{name}" if name else str(path))
    return node


def _check_type(array: zarr.Array[Any], name: str) -> None:
    dtype = array.dtype
    if not isinstance(dtype, np.dtype):
        raise SlagsegError(f"{name} holds values of type {dtype}; only numbers are read.")
    check_numeric(dtype, name)


def read_zarr_array(path: str | Path, name: str = "") -> NDArray[Any]:
    """Read one array of a store into memory."""
    return _read(open_zarr_array(path, name), f"{path}/{name}" if name else str(path))


def _read(array: zarr.Array[Any], name: str) -> NDArray[Any]:
    check_memory(array.nbytes, name)
    try:
        return np.asarray(array[...])
    except Exception as error:  # zarr raises whatever its codecs raise
        raise SlagsegError(
            f"{name} cannot be read ({error}). The store is damaged or incomplete; copy it again, "
            "or run the step that made it."
        ) from error


def read_zarr(path: Path, prefer: str = "") -> StoredArray:
    """Read a Zarr array, the finest level of an OME-Zarr image, or the only array of a group.

    Parameters
    ----------
    path : path
        Also one inside a store (``OUT.zarr/particles``).
    prefer : str
        Which array of a group is meant where there are several.

    Returns
    -------
    StoredArray
        In memory; its axes are z, y, x where the store names them.
    """
    array, axes, size, why = _find(path, prefer)
    name = str(path)
    order, shape = spatial_axes(axes, tuple(array.shape), name)
    data = _read(array, name).transpose(order).reshape(shape)
    return StoredArray(data, size, why)


def zarr_voxel_size(path: Path) -> tuple[VoxelSize | None, str]:
    """Voxel size that a store states, or None and what is missing; reads only metadata."""
    _, _, size, why = _find(path, "")
    return size, why


def _find(
    path: Path, prefer: str
) -> tuple[zarr.Array[Any], tuple[str, ...], VoxelSize | None, str]:
    store, inner = split_store(path) or (path, "")
    root = _open(store)
    node, at = root, store
    for part in inner.split("/") if inner else ():
        node, at = _member(node, at, part), at / part
    if not isinstance(node, zarr.Array) and "bioformats2raw.layout" in node.attrs and "0" in node:
        node, at = _member(node, at, "0"), at / "0"
    own = _own_size(node) or _own_size(root)
    if isinstance(node, zarr.Array):
        level = _level_of(at, store)
        axes = level.axes if level is not None else _dimension_names(node)
        stated = level.voxel_size_um if level is not None else None
        _check_type(node, str(at))
        return node, axes, own or stated, "it is a plain Zarr array without a scale"
    found = multiscale(dict(node.attrs), str(at))
    if found is not None:
        array = _array_along(node, at, found.level)
        return array, found.axes, found.voxel_size_um or own, found.why_no_size
    arrays = [name for name in _names(at) if not _is_group(at / name)]
    if prefer in arrays:
        arrays = [prefer]
    if len(arrays) != 1:
        raise SlagsegError(
            f"{at} is a Zarr group with the arrays {', '.join(arrays) or 'none'} and "
            f"no OME metadata. Name one of them: {at}/NAME."
        )
    array = _array_along(node, at, arrays[0])
    size = own or _own_size(array)
    return array, _dimension_names(array), size, "it is a plain Zarr group without a scale"


def _is_group(path: Path) -> bool:
    if (path / "zarr.json").is_file():
        metadata = read_json(path / "zarr.json", "the metadata of a Zarr store")
        return not (isinstance(metadata, dict) and metadata.get("node_type") == "array")
    return not (path / ".zarray").is_file()


def _level_of(at: Path, store: Path) -> Any:
    """What OME-Zarr says about an array that is the finest level of the group it lies in."""
    if at == store:
        return None
    parent = _open(at.parent)
    found = None if isinstance(parent, zarr.Array) else multiscale(dict(parent.attrs), str(at))
    return found if found is not None and found.level == at.name else None


def _array_along(node: Any, at: Path, inner: str) -> zarr.Array[Any]:
    for part in inner.split("/"):
        node, at = _member(node, at, part), at / part
    if not isinstance(node, zarr.Array):
        raise SlagsegError(f"{at} is a group, not an array.")
    _check_type(node, str(at))
    return node


def _dimension_names(array: zarr.Array[Any]) -> tuple[str, ...]:
    names = getattr(array.metadata, "dimension_names", None) or ()
    return tuple(str(n) for n in names) if all(names) else ()


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

    Raises
    ------
    SlagsegError
        If an array does not hold numbers, or the place cannot be written to.
    """
    for name, data in arrays.items():
        check_numeric(np.asarray(data).dtype, f"Array '{name}' for {path}")
    values = dict(attributes or {})
    if voxel_size_um is not None:
        values["voxel_size_um"] = list(voxel_size_um)
    with atomic_folder(path) as temporary:
        group = zarr.open_group(temporary, mode="w", zarr_format=3, attributes=plain(values))
        for name, data in arrays.items():
            _add_array(group, name, np.asarray(data), compress=True)


def write_ome_zarr(
    path: str | Path,
    data: NDArray[Any],
    voxel_size_um: VoxelSize | None,
    *,
    compress: bool = False,
) -> None:
    """Write a volume as OME-Zarr 0.5 with a single level, atomically.

    Parameters
    ----------
    path : path
    data : (z, y, x) array
    voxel_size_um : (z, y, x) or None
    compress : bool
        Off for grey values: the noise of a CT does not compress.
    """
    check_numeric(data.dtype, f"The volume for {path}")
    attributes = image_attributes(Path(path).stem, data.ndim, voxel_size_um)
    with atomic_folder(path) as temporary:
        group = zarr.open_group(temporary, mode="w", zarr_format=3, attributes=attributes)
        _add_array(group, "0", data, compress=compress)


def _add_array(group: Any, name: str, data: NDArray[Any], *, compress: bool) -> None:
    edge = {1: 1 << 18, 2: 1024}.get(data.ndim, CHUNK)
    array = group.create_array(
        name,
        shape=data.shape,
        dtype=data.dtype.newbyteorder("="),
        chunks=tuple(max(1, min(n, edge)) for n in data.shape),
        compressors=[ZstdCodec(level=3)] if compress else None,
        dimension_names={3: ("z", "y", "x"), 2: ("y", "x")}.get(data.ndim),
    )
    if data.size:
        array[...] = data


def read_zarr_attributes(path: str | Path) -> dict[str, Any]:
    """Attributes of a store's root."""
    return dict(_open(Path(path)).attrs)


__all__ = [
    "is_zarr",
    "open_zarr_array",
    "read_zarr",
    "read_zarr_array",
    "read_zarr_attributes",
    "split_store",
    "write_ome_zarr",
    "write_zarr_arrays",
    "zarr_voxel_size",
]
