"""Tables one below the other."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd


def joined(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Rows of all tables, numbered anew.

    Parameters
    ----------
    frames : sequence of DataFrame
        At least one; of the same columns.
    """
    # an empty table would turn the columns of the others into objects
    filled = [frame for frame in frames if len(frame)] or list(frames[:1])
    return pd.concat(filled, ignore_index=True)


__all__ = ["joined"]
