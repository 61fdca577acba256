"""Placement of mineral maps: error against the phantoms' truth, and maps that do not belong.

    python benchmarks/placement.py [--preset sample] [--levels easy medium hard extreme]
        [--seeds 0 1] [--maps 4] [--nulls 4]

Every map of a phantom is placed in its own CT with nothing known beforehand: errors
are in voxels over all pixels inside accepted cutouts, the verdict is `lost` where
the map was accepted more than two voxels (median) off or mirrored wrongly. `null`
rows are maps of another phantom, which must be refused. The last lines say what lies
between the two; the thresholds of `RegistrationSettings` were read off them.
Seconds are of the processor, all threads together, so that they mean something on a
machine with other work.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass

import numpy as np

from napari_slagseg.data import PlacedMap
from napari_slagseg.phantom import LEVELS, PRESETS, PhantomMap, make_phantom
from napari_slagseg.registration import PreparedCT, place_map, placement_error, prepare_ct

OTHER_SAMPLE = 1000
"""Added to a seed: the phantom that the null maps come from."""

HEADER = (
    f"{'level':8} {'seed':>4} {'map':10} {'median':>7} {'p95':>6} {'worst':>6} {'<1 vox':>7} "
    f"{'placed':>7} {'mirror':>6} {'score':>6} {'ratio':>6} {'cutouts':>8} {'s':>6}  verdict"
)


@dataclass
class Row:
    """One map in one CT."""

    level: str
    own: bool
    placed: PlacedMap
    median: float
    verdict: str
    seconds: float

    @property
    def ratio(self) -> float:
        """Score over that of the second place; infinite without one."""
        ratio = self.placed.details["ratio_to_second_place"]
        return float("inf") if ratio is None else float(ratio)

    @property
    def accepted(self) -> float:
        """Share of accepted cutouts."""
        return float(self.placed.details["accepted_share"])


def measure(ct: PreparedCT, cut: PhantomMap, level: str, seed: int, own: bool) -> Row:
    """Place one map and print its row."""
    started = time.process_time()
    placed = place_map(ct, cut.mineral_map)
    seconds = time.process_time() - started
    name = cut.mineral_map.name if own else f"null {cut.mineral_map.name[-1]}"
    e = dict.fromkeys(("median", "p95", "worst", "share_within_1", "share_placed"), float("nan"))
    mirror = ""
    if own:
        e = placement_error(placed, cut.coordinates)
        right = placed.mirrored == cut.mirrored
        mirror = "right" if right else "WRONG"
        verdict = "refused" if not placed.placed else "placed"
        if placed.placed and not (right and e["median"] <= 2):
            verdict = "LOST"
    else:
        verdict = "ACCEPTED" if placed.placed else "refused"
    row = Row(level, own, placed, e["median"], verdict, seconds)
    print(
        f"{level:8} {seed:4} {name:10} {e['median']:7.2f} {e['p95']:6.2f} {e['worst']:6.2f} "
        f"{e['share_within_1']:7.1%} {e['share_placed']:7.1%} {mirror:>6} {placed.score:6.3f} "
        f"{row.ratio:6.2f} {row.accepted:8.2f} {seconds:6.1f}  {verdict}",
        flush=True,
    )
    return row


def span(values: list[float]) -> str:
    """Least, median and largest."""
    if not values:
        return "-"
    return f"{min(values):.3f} / {np.median(values):.3f} / {max(values):.3f}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--preset", default="sample", choices=list(PRESETS))
    parser.add_argument("--levels", nargs="+", default=list(LEVELS), choices=list(LEVELS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--maps", type=int, help="of each phantom; all if not given")
    parser.add_argument("--nulls", type=int, default=2, help="maps of another sample for each CT")
    arguments = parser.parse_args()
    rows = []
    print(HEADER)
    for level in arguments.levels:
        for seed in arguments.seeds:
            phantom = make_phantom(arguments.preset, level, seed)
            ct = prepare_ct(phantom.ct)
            for cut in phantom.maps[: arguments.maps]:
                rows.append(measure(ct, cut, level, seed, own=True))
            if arguments.nulls:
                other = make_phantom(arguments.preset, level, seed + OTHER_SAMPLE)
                for cut in other.maps[: arguments.nulls]:
                    rows.append(measure(ct, cut, level, seed, own=False))
    print("\nleast / median / largest")
    for level in arguments.levels:
        for own in (True, False):
            some = [r for r in rows if r.level == level and r.own == own]
            if some:
                print(
                    f"{level:8} {'own maps' if own else 'nulls':8} n {len(some):3}  "
                    f"score {span([r.placed.score for r in some])}  "
                    f"ratio {span([r.ratio for r in some])}  "
                    f"cutouts {span([r.accepted for r in some])}"
                    + (f"  error {span([r.median for r in some])}" if own else "")
                )
    own = [r for r in rows if r.own]
    nulls = [r for r in rows if not r.own]
    print(
        f"{sum(r.verdict == 'placed' for r in own)} of {len(own)} maps placed, "
        f"{sum(r.verdict == 'LOST' for r in own)} lost, "
        f"{sum(r.verdict == 'refused' for r in own)} refused; "
        f"{sum(r.verdict == 'ACCEPTED' for r in nulls)} of {len(nulls)} foreign maps accepted."
    )


if __name__ == "__main__":
    main()
