"""The table that the rows add up to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from benchmarks.placement.measuring import BIN, BINS, Row

HEADER = (
    f"{'method':20} {'preset':7} {'level':8} {'case':16} {'maps':>4} {'lost':>4} {'refu':>4} "
    f"{'median':>7} {'95 %':>7} {'worst':>7} {'centre<1':>8} {'all<1':>7} {'good':>5} "
    f"{'w.good':>7} {'s':>6} {'cpu s':>6} {'MB':>6}"
)


def quantiles(rows: Sequence[Row]) -> tuple[float, float]:
    """Median and 95 % of all pixels of all maps together, in voxels."""
    counts = np.sum([r.histogram for r in rows if r.histogram is not None], axis=0)
    if not np.sum(counts):
        return float("nan"), float("nan")
    share = np.cumsum(counts) / np.sum(counts)
    places = [(int(np.searchsorted(share, q)) + 0.5) * BIN for q in (0.5, 0.95)]
    # the last bin holds all larger errors
    median, p95 = (float("inf") if p >= (BINS - 1) * BIN else p for p in places)
    return median, p95


def groups(rows: Iterable[Row]) -> dict[tuple[str, str, str, str], list[Row]]:
    """Rows by method, preset, level and case, in the order they came."""
    found: dict[tuple[str, str, str, str], list[Row]] = {}
    for r in rows:
        found.setdefault((r.method, r.preset, r.level, r.case), []).append(r)
    return found


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f}%" if whole else "-"


def line(key: tuple[str, str, str, str], rows: Sequence[Row]) -> str:
    """One line of the table: maps of their own sample."""
    method, preset, level, case = key
    median, p95 = quantiles(rows)
    cutouts = sum(r.cutouts for r in rows)
    return (
        f"{method:20} {preset:7} {level:8} {case:16} {len(rows):4} "
        f"{sum(r.verdict == 'LOST' for r in rows):4} "
        f"{sum(r.verdict == 'refused' for r in rows):4} "
        f"{median:7.2f} {p95:7.2f} {_most(r.worst for r in rows):7.2f} "
        f"{_percent(sum(r.centre_within_1 for r in rows), cutouts):>8} "
        f"{_percent(sum(r.all_within_1 for r in rows), cutouts):>7} "
        f"{_percent(sum(r.good for r in rows), cutouts):>5} "
        f"{_most(r.worst_good for r in rows):7.2f} "
        f"{np.mean([r.seconds for r in rows]):6.1f} {np.mean([r.cpu_seconds for r in rows]):6.1f} "
        f"{_most(r.peak_mb for r in rows):6.0f}"
    )


def _most(values: Iterable[float]) -> float:
    known = [v for v in values if np.isfinite(v)]
    return max(known, default=float("nan"))


def _span(values: Iterable[float]) -> str:
    known = [v for v in values if not np.isnan(v)]
    if not known:
        return "-"
    return f"{min(known):.3f} / {np.median(known):.3f} / {max(known):.3f}"


def table(rows: Sequence[Row]) -> str:
    """The whole table, the nulls, and what lies between own and foreign maps."""
    own = [r for r in rows if r.own]
    lines = [HEADER, *(line(k, some) for k, some in groups(own).items())]
    lines.append("\nleast / median / largest over maps")
    for what, some in (("own", own), ("foreign", [r for r in rows if not r.own])):
        for key, part in groups(some).items():
            if key[0] != "ours" or key[3] not in ("", "foreign"):
                continue
            lines.append(
                f"{key[1]:7} {key[2]:8} {what:8} n {len(part):3}  "
                f"score {_span(r.score for r in part)}  ratio {_span(r.ratio for r in part)}  "
                f"probability {_span(r.probability for r in part)}"
            )
    nulls = [r for r in rows if not r.own]
    ours = [r for r in own if r.method == "ours"]
    lines.append(
        f"\nours: {sum(r.verdict == 'placed' for r in ours)} of {len(ours)} maps placed, "
        f"{sum(r.verdict == 'LOST' for r in ours)} lost, "
        f"{sum(r.verdict == 'refused' for r in ours)} refused; "
        f"{sum(r.verdict == 'ACCEPTED' for r in nulls)} of {len(nulls)} foreign maps accepted."
    )
    bad = [r for r in rows if r.verdict in ("LOST", "ACCEPTED")]
    bad += [r for r in ours if r.verdict == "refused"]
    for r in bad:
        if r.method == "ours":
            lines.append(
                f"  {r.verdict} {r.preset} {r.level} seed {r.seed} {r.case} {r.map}: median "
                f"{r.median:.2f}, score {r.score:.3f}, ratio {r.ratio:.2f}. {r.reason}"
            )
    return "\n".join(lines)
