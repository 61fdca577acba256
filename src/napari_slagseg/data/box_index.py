"""What an index asks of a volume, read as numpy reads it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Slices = tuple[slice, ...]


@dataclass(frozen=True)
class BoxIndex:
    """What an index asks for, put as a box of steps above zero.

    Attributes
    ----------
    slices : tuple of slice
        One an axis, with numbers for start, stop and step; stop is not beyond
        the axis.
    after : tuple
        Index that turns the box read so into what was asked for.
    """

    slices: Slices
    after: tuple[Any, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the box that is read."""
        return tuple(len(range(s.start, s.stop, s.step)) for s in self.slices)


def box_index(index: Any, shape: tuple[int, ...]) -> BoxIndex:
    """Read an index as numpy does, as far as it is made of whole numbers, slices and ``...``.

    Raises
    ------
    IndexError
        If a number lies outside, or there is something else in it.
    """
    given = index if isinstance(index, tuple) else (index,)
    spread: list[Any] = []
    for item in given:
        if item is Ellipsis:
            spread += [slice(None)] * (len(shape) - len(given) + 1)
        else:
            spread.append(item)
    if len(spread) > len(shape) or sum(item is Ellipsis for item in given) > 1:
        raise IndexError(f"{index} has more axes than a volume of shape {shape}.")
    spread += [slice(None)] * (len(shape) - len(spread))
    slices: list[slice] = []
    after: list[Any] = []
    for item, n in zip(spread, shape):
        if isinstance(item, slice):
            start, stop, step = item.indices(n)
            if step < 0:
                count = len(range(start, stop, step))
                low = start + (count - 1) * step if count else 0
                start, stop, step = low, (start + 1 if count else 0), -step
                after.append(slice(None, None, -1))
            else:
                after.append(slice(None))
            slices.append(slice(start, max(start, stop), step))
        elif isinstance(item, (int, np.integer)) and not isinstance(item, (bool, np.bool_)):
            place = int(item) + (n if item < 0 else 0)
            if not 0 <= place < n:
                raise IndexError(f"{item} is out of bounds for an axis of {n} voxels.")
            slices.append(slice(place, place + 1, 1))
            after.append(0)
        else:
            raise IndexError(
                f"A volume is read by boxes of slices and whole numbers, not by {item!r}."
            )
    return BoxIndex(tuple(slices), tuple(after))


__all__ = ["BoxIndex", "Slices", "box_index"]
