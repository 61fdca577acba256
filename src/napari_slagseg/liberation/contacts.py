"""Which phases the target is locked with, and which phases share a boundary."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_slagseg.data import BACKGROUND, UNKNOWN
from napari_slagseg.liberation.composition import Finish, Frames, labelled
from napari_slagseg.liberation.estimates import share
from napari_slagseg.liberation.resampling import Contributions
from napari_slagseg.liberation.samples import Sample
from napari_slagseg.liberation.settings import StatisticSettings
from napari_slagseg.liberation.sums import Sums

OUTSIDE = "outside"
"""Partner of a boundary with epoxy, pores or other particles."""

NO_PHASE = "no phase"
"""Partner of a boundary with voxels of no phase."""


def locking(sums: Contributions, settings: StatisticSettings) -> Finish:
    """Share of the target that is alone, with one other phase, or with several.

    A particle is ``liberated`` if it holds no phase but the target,
    ``binary`` with one other and ``ternary+`` with more. Rows of ``ternary+`` name no
    partner; together all rows are 1. ``locking_partners`` beside it tells in which share of
    the target each other phase occurs, alone or not.
    """
    sample = sums.sample
    others = [k for k, p in enumerate(sample.phases) if p.name not in sample.table.targets]
    names = [sample.phases[k].name for k in others]
    there = sample.fractions()[:, others] > settings.presence_minimum
    count = there.sum(axis=1)
    partner = there.argmax(axis=1) if others else np.zeros(len(sample), dtype=np.int64)
    state = np.where(count == 0, 0, np.where(count == 1, 1 + partner, 1 + len(others)))
    target = sample.target_amounts
    n = len(others) + 2
    each, whole = sums.add_classes(state.astype(np.int64), target, n), sums.add(target)
    occurring = sums.add(there * target[:, None])
    counts = np.bincount(state[target > 0].astype(np.int64), minlength=n)

    def finish(found: Sums) -> Frames:
        shares = share(found[each].divided_by(found[whole], classes=True))
        beside = share(found[occurring].divided_by(found[whole], classes=True))
        return {
            "locking": labelled(
                shares,
                state=["liberated", *["binary"] * len(others), "ternary+"],
                partner=["", *names, ""],
                n_particles=counts,
            ),
            "locking_partners": labelled(beside, partner=names),
        }

    return finish


def association(sums: Contributions) -> Finish:
    """Share of the boundary of the target, and of every phase, with each partner.

    ``a_pq = sum_i w_i A_ipq / sum_i sum_r w_i A_ipr`` with the area (length, in 2D) A of the
    boundary of phase p with partner q within or around a particle; the outside is a
    partner. The rows of a phase are 1 together. The target comes first; boundaries between
    the phases of a group are none of the group's.
    """
    sample = sums.sample
    contacts = sample.table.contacts
    ids = [phase.id for phase in sample.phases]
    targets = [k for k, p in enumerate(sample.phases) if p.name in sample.table.targets]
    names = [phase.name for phase in sample.phases]
    partners = [*names, NO_PHASE, OUTSIDE]
    rows = sample.rows_of(contacts)
    area = contacts["area_um2" if sample.dimension == 3 else "length_um"].to_numpy(float)
    phase = _index(contacts["phase_id"], ids)
    partner = _index(contacts["partner_id"], [*ids, UNKNOWN, BACKGROUND])
    p, q = len(names), len(partners)
    known = (phase >= 0) & (partner >= 0) & np.isfinite(area)
    cell = np.where(known, phase * q + partner, -1)
    between = sums.add_classes(cell, area, p * q, rows)
    whole = sums.add_classes(np.where(known, phase, -1), area, p, rows)
    of_target = known & np.isin(phase, targets) & ~np.isin(partner, targets)
    target = sums.add_classes(np.where(of_target, partner, -1), area, q, rows)
    target_whole = sums.add_classes(np.where(of_target, 0, -1), area, 1, rows)

    def finish(found: Sums) -> Frames:
        own = share(found[target].divided_by(found[target_whole]))
        frames = [labelled(own, phase=sample.target_name, is_target=True, partner=partners)]
        shares = share(found[between].divided_by(found[whole].repeated(q)))
        table = labelled(shares, phase=np.repeat(names, q), is_target=False, partner=partners * p)
        # a single target has its rows already
        single = names[targets[0]] if len(targets) == 1 else None
        frames.append(table[(table["phase"] != table["partner"]) & (table["phase"] != single)])
        frame = pd.concat([f for f in frames if len(f)], ignore_index=True)
        inside_group = frame["is_target"] & frame["partner"].isin([names[k] for k in targets])
        frame = frame[~inside_group]
        if not (sample.table.contacts["partner_id"] == UNKNOWN).any():
            frame = frame[frame["partner"] != NO_PHASE]
        return {"association": frame.reset_index(drop=True)}

    return finish


def _index(values: pd.Series[int], known: list[int]) -> NDArray[np.int64]:
    return np.asarray(pd.Index(known).get_indexer(pd.Index(values.astype("int64"))), dtype=np.int64)


def has_contacts(sample: Sample) -> bool:
    """Whether shared boundaries were measured."""
    return len(sample.table.contacts) > 0


__all__ = ["NO_PHASE", "OUTSIDE", "association", "has_contacts", "locking"]
