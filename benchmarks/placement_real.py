"""Placement on real data, each with a known place of the map.

    python -m benchmarks.placement_real [--sources ...] [--cuts 5] [--nulls 2] [--csv FILE]

sand_ct, sand_packing: real CT volumes of sand, cut along random tilted, curved surfaces at
2.3 times finer pitch; the map is degraded, the CT blurred and noise added, the place
forgotten (`benchmarks/placement/resectioned.py`). tima, shell: two modalities of one real
plane; one is embedded as a curved sheet in a volume made of shuffled pieces of itself, the
other is sought there (`benchmarks/placement/embedded.py`). No public CT comes with
SEM-EDS maps of the same sample.

Errors are in voxels, over all pixels inside accepted cutouts and the CT. `odd/even` is the
disagreement of the surfaces through odd and even cutouts, which needs no truth. Foreign maps
are of another part of the sand, or of a plane that is not in the volume.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.placement.__main__ import write_csv
from benchmarks.placement.embedded import embedded_task, shell, tima
from benchmarks.placement.measuring import Row, place
from benchmarks.placement.phantom_job import compile_kernels
from benchmarks.placement.resectioned import cut_task, sand_ct, sand_packing
from benchmarks.placement.table import quantiles

from napari_slagseg.registration import prepare_ct

DATA = Path(__file__).parents[2] / "shared/data"

SOURCES: dict[str, tuple[str, Callable[[Path], Any], Callable[..., Any]]] = {
    "sand_ct": ("sand_ct_grey", sand_ct, cut_task),
    "sand_packing": ("sand_packing_binary", sand_packing, cut_task),
    "tima": ("tima_particles_in_epoxy", tima, embedded_task),
    "shell": ("xray_neutron_pair", shell, embedded_task),
}


def main() -> None:
    """Print a line a cut, and the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sources", nargs="+", default=list(SOURCES), choices=list(SOURCES))
    parser.add_argument("--cuts", type=int, default=5)
    parser.add_argument("--nulls", type=int, default=2)
    parser.add_argument("--csv", type=Path)
    o = parser.parse_args()
    rows: list[Row] = []
    for name in o.sources:
        folder, read, make = SOURCES[name]
        if not (DATA / folder).is_dir():
            print(f"{name}: skipped, {DATA / folder} is not there")
            continue
        if not rows:
            compile_kernels()
        source = read(DATA)
        for k in range(o.cuts + o.nulls):
            own = k < o.cuts
            volume, task = make(source, np.random.default_rng([k, len(name)]), foreign=not own)
            row = Row("ours", name, "real", k, "" if own else "foreign", f"cut {k}", own)
            place(row, prepare_ct(volume), task)
            rows.append(row)
            print(
                f"{name:13} {'x'.join(map(str, volume.shape)):12} {k:3} "
                f"{row.case:8} median {row.median:6.2f}  95 % {row.p95:6.2f}  worst "
                f"{row.worst:6.2f}  odd/even {row.odd_even:5.2f}  score {row.score:.3f}  ratio "
                f"{row.ratio:.2f}  p {row.probability:5.3f}  {row.seconds:5.1f} s  {row.verdict}"
                f" {row.reason}",
                flush=True,
            )
    if o.csv and rows:
        write_csv(o.csv, rows)
    print(
        f"\n{'source':13} {'cuts':>4} {'lost':>4} {'refused':>7} {'median':>7} {'95 %':>7} "
        f"{'worst':>7} {'w.good':>7} {'odd/even':>8} {'s':>6} {'MB':>6} {'nulls accepted':>14}"
    )
    for name in dict.fromkeys(r.preset for r in rows):
        some = [r for r in rows if r.preset == name and r.own]
        nulls = [r for r in rows if r.preset == name and not r.own]
        if not some:
            continue
        median, p95 = quantiles(some)
        print(
            f"{name:13} {len(some):4} {sum(r.verdict == 'LOST' for r in some):4} "
            f"{sum(r.verdict == 'refused' for r in some):7} {median:7.2f} {p95:7.2f} "
            f"{np.nanmax([r.worst for r in some] + [-1]):7.2f} "
            f"{np.nanmax([r.worst_good for r in some] + [-1]):7.2f} "
            f"{np.median([r.odd_even for r in some if np.isfinite(r.odd_even)] or [np.nan]):8.2f} "
            f"{np.mean([r.seconds for r in some]):6.1f} {max(r.peak_mb for r in some):6.0f} "
            f"{sum(r.verdict == 'ACCEPTED' for r in nulls):7} of {len(nulls)}"
        )


if __name__ == "__main__":
    main()
