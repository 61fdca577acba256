"""All that is measured on one phantom, in a process of the pool."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.placement import mutual_information, otsu_cutouts
from benchmarks.placement.cases import CASES, task
from benchmarks.placement.measuring import Row, place
from benchmarks.placement.samples import Sample, foreign_maps, load, make

from napari_slagseg.data import Landmarks
from napari_slagseg.phantom import PhantomMap, make_phantom
from napari_slagseg.registration import PreparedCT, place_map, prepare_ct

CLICK_OFF = 20.0
"""Voxels that a landmark lies off, in a random direction."""


def compile_kernels() -> None:
    """Place a small map once, so that no compilation is measured."""
    tiny = make_phantom("tiny")
    place_map(tiny.ct, tiny.maps[0].mineral_map)


def make_phantoms(arguments: tuple[Path, str, int, list[str]]) -> None:
    """Fill the cache."""
    make(*arguments)


def clicks(cut: PhantomMap, rng: np.random.Generator) -> Landmarks:
    """Three pairs that span the map as a user would choose them, each `CLICK_OFF` off."""
    rows, columns = cut.mineral_map.shape
    turns = rng.uniform(0, 2 * np.pi) + np.arange(3) * 2 * np.pi / 3 + rng.normal(0, 0.2, 3)
    reach = 0.3 * min(rows, columns) * rng.uniform(0.8, 1.2, 3)
    pixels = np.stack(
        [(rows - 1) / 2 + reach * np.cos(turns), (columns - 1) / 2 + reach * np.sin(turns)], axis=1
    ).round()
    at = pixels.astype(int)
    off = rng.standard_normal((3, 3))
    off *= CLICK_OFF / np.linalg.norm(off, axis=1, keepdims=True)
    return Landmarks(pixels, cut.coordinates[at[:, 0], at[:, 1]].astype(float) + off)


def _rng(*parts: Any) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(repr(parts).encode()))


def run(job: dict[str, Any]) -> list[Row]:
    """Rows of one phantom."""
    cache, preset, level, seed = (job[k] for k in ("cache", "preset", "level", "seed"))
    sample = load(cache, preset, level, seed, job["maps"])

    def row(method: str, case: str, name: str, own: bool = True) -> Row:
        return Row(method, preset, level, seed, case, name, own)

    rows = []
    if job["own"]:
        ct = prepare_ct(sample.ct)
        for k, cut in enumerate(sample.maps):
            rows.append(row("ours", "", cut.mineral_map.name))
            placed = place(rows[-1], ct, task(cut))
            if job["landmarks"]:
                rows.append(row("ours", "landmarks", cut.mineral_map.name))
                marks = clicks(cut, _rng(preset, level, seed, k))
                place(rows[-1], ct, task(cut, landmarks=marks))
            if k < job["baseline_maps"]:
                rows += otsu_cutouts.rows(row, sample, cut)
                rows += mutual_information.rows(row, sample, cut, placed)
        for cut in foreign_maps(cache, preset, level, seed, job["nulls"]):
            rows.append(row("ours", "foreign", cut.mineral_map.name, own=False))
            place(rows[-1], ct, task(cut))
    for name in job["cases"]:
        rows += case_rows(row, sample, name, _rng(name, preset, level, seed))
    return rows


def case_rows(row: Any, sample: Sample, name: str, rng: np.random.Generator) -> list[Row]:
    """Rows of one case."""
    case = CASES[name](sample, rng)
    ct: PreparedCT = prepare_ct(case.ct)
    rows = []
    for t in case.tasks:
        rows.append(row("ours", name, t.given.name))
        place(rows[-1], ct, t)
    return rows
