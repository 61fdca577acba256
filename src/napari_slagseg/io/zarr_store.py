"""Zarr stores: our own arrays, and those of others, OME-Zarr or plain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from napari_slagseg.data import SlagsegError, VoxelSize
from napari_slagseg.io.atomic import atomic_folder, recover_folder, write_error
from napari_slagseg.io.guards import check_memory, check_numeric
from napari_slagseg.io.ome_zarr import image_attributes, levels_of, multiscale, spatial_axes
from napari_slagseg.io.stored import StoredArray
from napari_slagseg.io.text import plain, read_json
from napari_slagseg.io.zarr_volume import CHUNK, SHARD, ZarrVolume, add_array


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
    """Open one array of a store, or the finest level of an image in it, without reading it.

    Raises
    ------
    SlagsegError
        If the store or the array is missing, or it holds Python objects.
    """
    path = Path(path)
    node = _open(path)
    if name:
        node = _member(node, path, name)
    inner = _finest(node, f"{path}/{name}" if name else str(path))
    if inner:
        node, name = _array_along(node, path / name, inner), f"{name}/{inner}" if name else inner
    if not isinstance(node, zarr.Array):
        raise SlagsegError(
            f"{path}{'/' + name if name else ''} is a group, not an array. "
            f"Name one of its arrays: {', '.join(_names(path / name)) or 'it has none'}."
        )
    _check_type(node, f"{path}/{name}" if name else str(path))
    return node


def _finest(node: Any, name: str) -> str:
    """Path of the finest level in a group that is an OME-Zarr image; else empty."""
    if isinstance(node, zarr.Array):
        return ""
    found = multiscale(dict(node.attrs), name)
    return "" if found is None else found.level


def _check_type(array: zarr.Array[Any], name: str) -> None:
    dtype = array.dtype
    if not isinstance(dtype, np.dtype):
        raise SlagsegError(f"{name} holds values of type {dtype}; only numbers are read.")
    check_numeric(dtype, name)


def read_zarr_array(path: str | Path, name: str = "") -> NDArray[Any]:
    """Read one array of a store, or the finest level of an image in it, into memory."""
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
    """Open a Zarr array, the finest level of an OME-Zarr image, or the only array of a group.

    Parameters
    ----------
    path : path
        Also one inside a store (``OUT.zarr/particles``).
    prefer : str
        Which array of a group is meant where there are several.

    Returns
    -------
    StoredArray
        Nothing is read yet: `data` is a `ZarrVolume`. Its axes are z, y, x where the
        store names them.
    """
    found = _find(path, prefer)
    kept = _kept_axes(found.axes, found.array, str(path))
    inner = found.at.relative_to(found.store).as_posix()
    volume = ZarrVolume(str(found.store), "" if inner == "." else inner, kept)
    return StoredArray(volume, found.voxel_size_um, found.why_no_size)


def zarr_voxel_size(path: Path) -> tuple[VoxelSize | None, str]:
    """Voxel size that a store states, or None and what is missing; reads only metadata."""
    found = _find(path, "")
    return found.voxel_size_um, found.why_no_size


def open_levels(
    path: Path,
) -> tuple[tuple[ZarrVolume, ...], tuple[VoxelSize, ...], tuple[VoxelSize, ...]]:
    """Levels of an image, their voxel sizes, and where their first voxels lie.

    A plain array has one level. Sizes are in voxels where the store states none.
    """
    found = _find(path, "")
    image = found.at.parent
    parent = _open(image) if found.at != found.store else None
    several = [] if parent is None else levels_of(dict(parent.attrs), str(image))
    if not several or several[0].level != found.at.relative_to(image).as_posix():
        stored = read_zarr(path)
        return (stored.data,), (found.voxel_size_um or (1.0, 1.0, 1.0),), ((0.0, 0.0, 0.0),)
    levels, sizes, places = [], [], []
    for level in several:
        array = _array_along(parent, image, level.level)
        kept = _kept_axes(level.axes, array, str(image / level.level))
        inner = (image / level.level).relative_to(found.store).as_posix()
        levels.append(ZarrVolume(str(found.store), inner, kept))
        z, y, x = level.scale
        sizes.append((z, y, x))
        dz, dy, dx = (b - a for a, b in zip(several[0].translation, level.translation))
        places.append((dz, dy, dx))
    return tuple(levels), tuple(sizes), tuple(places)


def _kept_axes(axes: tuple[str, ...], array: zarr.Array[Any], name: str) -> tuple[int, ...] | None:
    """Stored axes in the order z, y, x; None where they are so already."""
    order, shape = spatial_axes(axes, tuple(array.shape), name)
    kept = order[len(order) - len(shape) :]
    return None if kept == tuple(range(array.ndim)) else kept


@dataclass(frozen=True)
class _Found:
    """An array behind a path, and what its store says about it."""

    store: Path
    at: Path
    array: zarr.Array[Any]
    axes: tuple[str, ...]
    voxel_size_um: VoxelSize | None
    why_no_size: str


def _find(path: Path, prefer: str) -> _Found:
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
        return _Found(
            store, at, node, axes, own or stated, "it is a plain Zarr array without a scale"
        )
    found = multiscale(dict(node.attrs), str(at))
    if found is None:
        members = [name for name in _names(at) if not _is_group(at / name) or _is_image(at / name)]
        if prefer in members:
            members = [prefer]
        if len(members) != 1:
            raise SlagsegError(
                f"{at} is a Zarr group with the arrays {', '.join(members) or 'none'} and "
                f"no OME metadata. Name one of them: {at}/NAME."
            )
        node, at = _member(node, at, members[0]), at / members[0]
        if isinstance(node, zarr.Array):
            _check_type(node, str(at))
            size = own or _own_size(node)
            why = "it is a plain Zarr group without a scale"
            return _Found(store, at, node, _dimension_names(node), size, why)
        found = multiscale(dict(node.attrs), str(at))
        assert found is not None
    array = _array_along(node, at, found.level)
    size = found.voxel_size_um or own
    return _Found(store, at / found.level, array, found.axes, size, found.why_no_size)


def _is_image(path: Path) -> bool:
    """Whether a group is an OME-Zarr image."""
    files = [path / name for name in ("zarr.json", ".zattrs") if (path / name).is_file()]
    metadata: Any = read_json(files[0], "the metadata of a Zarr store") if files else {}
    values = metadata.get("attributes", metadata) if isinstance(metadata, dict) else {}
    return isinstance(values, dict) and multiscale(values, str(path)) is not None


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
        Compressed with zstd; volumes become OME-Zarr images in shards of `SHARD` voxels.
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
            data = np.asarray(data)
            if data.ndim == 3 and data.size:
                _add_image(group, name, data.shape, data.dtype, voxel_size_um)
                ZarrVolume(str(temporary), f"{name}/0").fill(data)
            else:
                add_array(group, name, data.shape, data.dtype, compress=True)[...] = data


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
        add_array(group, "0", data.shape, data.dtype, compress=compress)
        ZarrVolume(str(temporary), "0").fill(data)


def create_result_arrays(
    path: str | Path,
    arrays: Mapping[str, Any],
    shape: tuple[int, int, int],
    voxel_size_um: VoxelSize | None,
    attributes: Mapping[str, Any] | None = None,
) -> dict[str, ZarrVolume]:
    """Make a store of volumes that are then written block by block.

    Every volume is an OME-Zarr 0.5 image with, so far, the level "0". A part that was
    not written yet is an error to read, never zeros.

    Parameters
    ----------
    path : path
        The store; must not exist, or it is replaced. Choose a temporary name and
        rename the folder at the end, so that a half-written store is not taken for a
        whole one.
    arrays : mapping of name to dtype
        ``{"particles": "uint32", "phases": "uint8"}``; compressed with zstd.
    shape : (z, y, x)
    voxel_size_um : (z, y, x) or None
    attributes : mapping, optional
        JSON values for the store.

    Returns
    -------
    volumes : dict of name to ZarrVolume
        Blocks whose edges are multiples of `SHARD` may be written by different
        processes at the same time.

    Raises
    ------
    SlagsegError
        If a type is none of numbers, or the place cannot be written to.
    """
    values = dict(attributes or {})
    if voxel_size_um is not None:
        values["voxel_size_um"] = list(voxel_size_um)
    for name, dtype in arrays.items():
        check_numeric(np.dtype(dtype), f"Array '{name}' for {path}")
    try:
        root = zarr.open_group(path, mode="w", zarr_format=3, attributes=plain(values))
        for name, dtype in arrays.items():
            _add_image(root, name, shape, dtype, voxel_size_um)
    except OSError as error:
        raise write_error(Path(path), error) from error
    return {name: ZarrVolume(str(path), f"{name}/0") for name in arrays}


def _add_image(
    root: Any, name: str, shape: tuple[int, ...], dtype: Any, size: VoxelSize | None
) -> None:
    image = root.create_group(name, attributes=image_attributes(name, len(shape), size))
    add_array(image, "0", shape, dtype, compress=True)


def read_zarr_attributes(path: str | Path) -> dict[str, Any]:
    """Attributes of a store's root."""
    return dict(_open(Path(path)).attrs)


def write_zarr_attributes(path: str | Path, values: Mapping[str, Any]) -> None:
    """Add JSON values to the attributes of a store's root.

    Raises
    ------
    SlagsegError
        If the store cannot be opened or written to.
    """
    try:
        zarr.open_group(Path(path), mode="r+").update_attributes(plain(dict(values)))
    except OSError as error:
        raise write_error(Path(path), error) from error


__all__ = [
    "CHUNK",
    "SHARD",
    "create_result_arrays",
    "is_zarr",
    "open_zarr_array",
    "read_zarr",
    "read_zarr_array",
    "read_zarr_attributes",
    "split_store",
    "write_ome_zarr",
    "write_zarr_arrays",
    "write_zarr_attributes",
    "zarr_voxel_size",
]
