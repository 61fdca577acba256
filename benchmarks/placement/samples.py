"""Phantoms of the benchmark, kept on disk: making them costs more than placing."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from napari_slagseg import phantom
from napari_slagseg.data import Volume
from napari_slagseg.phantom import PackedSample, PhantomMap, cut_maps, draw_sample, pack_sample
from napari_slagseg.phantom.make import degrade_sample
from napari_slagseg.phantom.particles import Packing
from napari_slagseg.phantom.presets import PRESETS, VOXEL_UM
from napari_slagseg.phantom.truth import ContinuousTruth

OTHER_SAMPLE = 1000
"""Added to a seed: the phantom that the null maps come from."""

_MADE_BY = ("presets", "particles", "truth", "ct", "make")


@dataclass(frozen=True)
class Sample:
    """One phantom at one level: its CT, its maps, and its truth for further cuts."""

    level: str
    ct: Volume
    maps: tuple[PhantomMap, ...]
    packed: PackedSample


def code_version() -> str:
    """Changes with the code that makes phantoms, so that an old cache is not read."""
    digest = hashlib.sha256()
    for name in _MADE_BY:
        digest.update((Path(phantom.__file__).parent / f"{name}.py").read_bytes())
    return digest.hexdigest()[:8]


def _file(cache: Path, preset: str, seed: int, what: str) -> Path:
    return cache / f"{preset}-{seed}-{what}-{code_version()}.npz"


def _write(path: Path, **arrays: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.stem}.{os.getpid()}.tmp.npz")
    np.savez(unfinished, **arrays)
    unfinished.replace(path)


def packed_sample(cache: Path, preset: Any, seed: int) -> PackedSample:
    """Packing of a phantom, from the cache or made now."""
    path = _file(cache, preset, seed, "packing")
    if path.exists():
        with np.load(path) as file:
            packing = Packing(**{f.name: file[f.name] for f in fields(Packing)})
        shape = PRESETS[preset].shape
        return PackedSample(preset, seed, ContinuousTruth.of(packing, shape), 0.47 * min(shape[1:]))
    packed = pack_sample(preset, seed)
    _write(path, **{f.name: getattr(packed.truth.packing, f.name) for f in fields(Packing)})
    return packed


def make(cache: Path, preset: Any, seed: int, levels: list[Any]) -> None:
    """Put the phantoms of one seed into the cache; all levels share what is drawn."""
    missing = [n for n in levels if not _file(cache, preset, seed, n).exists()]
    packed_sample(cache, preset, seed)
    if missing:
        drawn = draw_sample(preset, seed)
        for level in missing:
            ct = degrade_sample(drawn, level, n_maps=0).ct
            _write(_file(cache, preset, seed, level), ct=ct.data)


def load(cache: Path, preset: Any, level: Any, seed: int, n_maps: int | None = None) -> Sample:
    """A phantom that `make` has put into the cache."""
    with np.load(_file(cache, preset, seed, level)) as file:
        ct = Volume(file["ct"], (VOXEL_UM,) * 3, f"{preset} {level} {seed}")
    packed = packed_sample(cache, preset, seed)
    return Sample(level, ct, cut_maps(packed, level)[:n_maps], packed)


def foreign_maps(cache: Path, preset: Any, level: Any, seed: int, n: int) -> list[PhantomMap]:
    """Maps of another sample of the same kind: they must be refused."""
    packed = packed_sample(cache, preset, seed + OTHER_SAMPLE)
    return list(cut_maps(packed, level)[:n])
