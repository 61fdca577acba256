"""Rows in the place of others: few are put between, many are sorted in; the same comes of it."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from tests.workflow.proofreading.specimens import TABLE, specimen
from tests.workflow.proofreading.test_live_table import check_equal

from napari_slagseg.data import SlagsegError
from napari_slagseg.descriptors import describe_particles
from napari_slagseg.workflow.proofreading import rows


def table_of(labels, phases):
    return describe_particles(labels, phases, 2.0, TABLE)


def one(table, label):
    parts = (getattr(table, name) for name in ("frame", "contacts", "grains"))
    frame, contacts, grains = (p[p["label"] == label].reset_index(drop=True) for p in parts)
    return replace(table, frame=frame, contacts=contacts, grains=grains)


@pytest.mark.parametrize("few", [0, 100])
@pytest.mark.parametrize("gone", [[1], [5], [2, 3], [1, 2, 3, 4, 5], [7], [9, 4]])
def test_rows_come_where_they_belong(monkeypatch, few, gone):
    monkeypatch.setattr(rows, "_FEW", few)
    labels, phases = specimen()
    old = table_of(labels, phases)
    after = np.where(np.isin(labels, gone), 0, labels).astype(np.uint32)
    check_equal(rows.with_rows(old, gone, []), table_of(after, np.where(after > 0, phases, 0)))
    back = rows.with_rows(
        rows.with_rows(old, gone, []), gone, [one(old, n) for n in gone if n <= 5]
    )
    check_equal(back, old)


def test_other_columns():
    table = table_of(*specimen())
    new = one(table, 2)
    new = replace(new, frame=new.frame.drop(columns="solidity"))
    with pytest.raises(SlagsegError, match=r"solidity.*Run 'measure' again"):
        rows.with_rows(table, [2], [new])
    assert isinstance(table.frame, pd.DataFrame)
    assert len(table) == 5
