"""Connected pieces of one block by runs: rows of voxels along x that belong together.

A run ends where its voxels do, or, where pieces are told apart by value, where the value
changes. Runs of neighbouring rows that touch are joined by union-find (Rosenfeld & Pfaltz
1966; by runs: He, Chao & Suzuki 2008), the later one under the earlier one, so that the
root of a piece is its first run in C order. Only runs are looked at after the voxels have
been read once, and there are far fewer of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numba import njit
from numpy.typing import NDArray

from napari_slagseg.segmentation.places import Place


@dataclass(frozen=True)
class Runs:
    """Runs of a block, and which piece each belongs to.

    Attributes
    ----------
    shape : (z, y, x)
        Of the block.
    rows : (z * y + 1,) int64
        Where each row's runs begin.
    begin, end : (n,) int32
        First voxel along x and the first one behind.
    piece : (n,) uint32
        1, 2, ... in the order of the pieces' first voxels.
    n : int
        Pieces.
    """

    shape: tuple[int, int, int]
    rows: NDArray[np.int64]
    begin: NDArray[np.int32]
    end: NDArray[np.int32]
    piece: NDArray[np.uint32]
    n: int

    @classmethod
    def of(cls, shape: tuple[int, int, int], arrays: Mapping[str, NDArray[Any]]) -> Runs:
        """Those that `arrays` was asked for."""
        rows, begin, end = arrays["rows"], arrays["begin"], arrays["end"]
        return cls(shape, rows, begin, end, arrays["piece"], int(arrays["n"]))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """All there is to keep of them."""
        return {
            "rows": self.rows,
            "begin": self.begin,
            "end": self.end,
            "piece": self.piece,
            "n": np.array(self.n),
        }

    def first_places(
        self, start: tuple[int, int, int], rows: int, columns: int
    ) -> NDArray[np.int64]:
        """Flat index in a volume of each piece's first voxel.

        The block begins at `start`; the volume has `rows` rows of `columns` voxels in a plane.
        """
        places = np.empty(self.n, dtype=np.int64)
        if self.n:
            _first_places(
                self.rows, self.begin, self.piece, self.shape[1], start, rows, columns, places
            )
        return places

    def voxels(self) -> NDArray[np.int64]:
        """Of each piece, (n,)."""
        totals = np.zeros(self.n, dtype=np.int64)
        _count(self.begin, self.end, self.piece, totals)
        return totals

    def face(self, axis: int, side: int) -> NDArray[np.uint32]:
        """Pieces of the outer voxels of the block on one side, 0 where there is none."""
        depth, rows, columns = self.shape
        face = np.zeros([n for k, n in enumerate(self.shape) if k != axis], dtype=np.uint32)
        if axis == 2:
            _paint_ends(
                self.rows, self.begin, self.end, self.piece, columns, side, face.reshape(-1)
            )
            return face
        if axis == 0:
            first, step, n = (depth - 1 if side else 0) * rows, 1, rows
        else:
            first, step, n = rows - 1 if side else 0, rows, depth
        _paint_rows(self.rows, self.begin, self.end, self.piece, first, step, n, face)
        return face

    def paint(self, numbers: NDArray[np.uint32], out: Place, *, clear: bool = False) -> None:
        """Write ``numbers[piece]`` where there is a run.

        Parameters
        ----------
        numbers : (n + 1,) uint32
            ``numbers[0]`` is not used.
        out : Place
            Of the block, in an array of uint32.
        clear : bool
            Whether the other voxels become 0; else they are left as they are.
        """
        at = (out.begin, out.row, out.plane)
        _paint(
            self.rows, self.begin, self.end, self.piece, numbers, clear, self.shape, out.flat, at
        )


def runs_of(values: NDArray[Any], connectivity: Literal[6, 26], by_value: bool) -> Runs:
    """Runs and pieces of a block.

    Parameters
    ----------
    values : (z, y, x) bool or integer
        0 is background. Of this machine's order of bytes.
    connectivity : 6 or 26
    by_value : bool
        Whether pieces end where the value changes.
    """
    depth, rows, columns = values.shape
    if not by_value and values.dtype != bool:
        values = values != 0
    if values.dtype == bool:
        values, by_value = values.view(np.uint8), False  # there is only one value
    values = np.ascontiguousarray(values)
    of_rows = np.empty(depth * rows + 1, dtype=np.int64)
    room = values.size // 24 + columns + 1
    while True:
        begin = np.empty(room, dtype=np.int32)
        end = np.empty_like(begin)
        done = _find(values.reshape(-1, columns), of_rows, begin, end)
        if done == depth * rows:
            break
        # as if all the rest were like what was seen, and a half on top
        room = 3 * room * depth * rows // (2 * max(done, 1)) + columns + 1
    total = int(of_rows[-1])
    begin, end = begin[:total].copy(), end[:total].copy()  # what is kept holds no spare room
    parent = np.arange(total, dtype=np.int32)
    reach = 1 if connectivity == 26 else 0
    _join(values if by_value else values[:0], of_rows, begin, end, rows, reach, parent)
    piece = np.empty(total, dtype=np.uint32)
    n = int(_number(parent, piece))
    return Runs((depth, rows, columns), of_rows, begin, end, piece, n)


@njit(cache=True, nogil=True)
def _find(
    values: NDArray[Any],
    of_rows: NDArray[np.int64],
    begin: NDArray[np.int32],
    end: NDArray[np.int32],
) -> int:
    """Find the runs of all rows; number of rows that there was room for."""
    columns = values.shape[1]
    changes = np.zeros(columns // 8 * 8 + 8, dtype=np.uint8)
    words = changes.view(np.uint64)  # 8 voxels are looked at together
    ones = np.uint64(0x0101010101010101)
    n = 0
    of_rows[0] = 0
    for row in range(len(values)):
        if n + columns > len(begin):
            return row
        changes[0] = values[row, 0] != 0
        for i in range(1, columns):
            changes[i] = values[row, i] != values[row, i - 1]
        changes[columns] = values[row, columns - 1] != 0
        inside = False
        for k in range(len(words)):
            word = words[k]
            while word != 0:
                # bytes below the lowest one that is set
                below = (word - np.uint64(1)) & ~word & ones
                x: Any = 8 * k + np.int64((below * ones) >> np.uint64(56))
                word &= word - np.uint64(1)
                if inside:
                    end[n] = x
                    n += 1
                inside = x < columns and values[row, x] != 0
                if inside:
                    begin[n] = x
        of_rows[row + 1] = n
    return len(values)


@njit(cache=True, nogil=True)
def _root(parent: NDArray[np.int32], k: Any) -> Any:
    while parent[k] != k:
        parent[k] = parent[parent[k]]
        k = parent[k]
    return k


@njit(cache=True, nogil=True)
def _join(
    values: NDArray[Any],
    of_rows: NDArray[np.int64],
    begin: NDArray[np.int32],
    end: NDArray[np.int32],
    rows: int,
    reach: int,
    parent: NDArray[np.int32],
) -> None:
    """Join the runs of each row with those that they touch in the rows before it.

    `reach` is 1 where edges and corners count, else 0; `values` are empty where they do not
    matter.
    """
    by_value = len(values) > 0
    for row in range(len(of_rows) - 1):
        if of_rows[row] == of_rows[row + 1]:
            continue
        z = row // rows
        y = row - z * rows
        for which in range(4):
            # before: the row above in the plane, then three, or one, of the plane before
            if which == 0:
                there_z, there_y = z, y - 1
            elif which == 1:
                there_z, there_y = z - 1, y
            else:
                if reach == 0:
                    break
                there_z, there_y = z - 1, y - 1 if which == 2 else y + 1
            if there_z < 0 or there_y < 0 or there_y >= rows:
                continue
            other = there_z * rows + there_y
            a, last_a = of_rows[row], of_rows[row + 1]
            b, last_b = of_rows[other], of_rows[other + 1]
            while a < last_a and b < last_b:
                end_a, end_b = end[a], end[b]
                if (
                    begin[a] < end_b + reach
                    and begin[b] < end_a + reach
                    and (
                        not by_value or values[z, y, begin[a]] == values[there_z, there_y, begin[b]]
                    )
                ):
                    _unite(parent, a, b)
                # the one that ends first touches nothing that follows the other
                if end_a < end_b:
                    a += 1
                elif end_b < end_a:
                    b += 1
                else:
                    if reach > 0 and by_value:
                        # at a corner, either may touch what follows the other without a gap
                        if (
                            b + 1 < last_b
                            and begin[b + 1] == end_a
                            and values[z, y, begin[a]] == values[there_z, there_y, end_a]
                        ):
                            _unite(parent, a, b + 1)
                        if (
                            a + 1 < last_a
                            and begin[a + 1] == end_a
                            and values[z, y, end_a] == values[there_z, there_y, begin[b]]
                        ):
                            _unite(parent, a + 1, b)
                    a += 1
                    b += 1


@njit(cache=True, nogil=True)
def _unite(parent: NDArray[np.int32], a: Any, b: Any) -> None:
    if parent[a] == parent[b]:
        return
    p = _root(parent, a)
    q = _root(parent, b)
    if p < q:
        parent[q] = p
    else:
        parent[p] = q


@njit(cache=True, nogil=True)
def _number(parent: NDArray[np.int32], piece: NDArray[np.uint32]) -> int:
    """Number of each run's piece; how many there are. Roots come before their runs."""
    n = 0
    for k in range(len(parent)):
        p = parent[k]
        if p == k:
            n += 1
            piece[k] = n
        else:
            piece[k] = piece[p]
    return n


@njit(cache=True, nogil=True)
def _first_places(
    of_rows: NDArray[np.int64],
    begin: NDArray[np.int32],
    piece: NDArray[np.uint32],
    block_rows: int,
    start: tuple[int, int, int],
    rows: int,
    columns: int,
    places: NDArray[np.int64],
) -> None:
    found = 0
    for row in range(len(of_rows) - 1):
        for k in range(of_rows[row], of_rows[row + 1]):
            if piece[k] > found:  # pieces are numbered as they first come
                z = row // block_rows + start[0]
                y = row % block_rows + start[1]
                places[found] = (z * rows + y) * columns + start[2] + begin[k]
                found += 1


@njit(cache=True, nogil=True)
def _count(
    begin: NDArray[np.int32],
    end: NDArray[np.int32],
    piece: NDArray[np.uint32],
    totals: NDArray[np.int64],
) -> None:
    for k in range(len(piece)):
        totals[piece[k] - 1] += end[k] - begin[k]


@njit(cache=True, nogil=True)
def _paint(
    of_rows: NDArray[np.int64],
    begin: NDArray[np.int32],
    end: NDArray[np.int32],
    piece: NDArray[np.uint32],
    numbers: NDArray[np.uint32],
    clear: bool,
    shape: tuple[int, int, int],
    out: NDArray[np.uint32],
    at: tuple[int, int, int],
) -> None:
    for row in range(len(of_rows) - 1):
        place = at[0] + row % shape[1] * at[1] + row // shape[1] * at[2]
        line = out[place : place + shape[2]]
        done = 0
        for k in range(of_rows[row], of_rows[row + 1]):
            if clear:
                line[done : begin[k]] = 0
            line[begin[k] : end[k]] = numbers[piece[k]]
            done = end[k]
        if clear:
            line[done:] = 0


@njit(cache=True, nogil=True)
def _paint_rows(
    of_rows: NDArray[np.int64],
    begin: NDArray[np.int32],
    end: NDArray[np.int32],
    piece: NDArray[np.uint32],
    first: int,
    step: int,
    n: int,
    face: NDArray[np.uint32],
) -> None:
    """Paint `n` rows, every `step`-th from `first` on."""
    for i in range(n):
        row = first + i * step
        for k in range(of_rows[row], of_rows[row + 1]):
            for x in range(begin[k], end[k]):
                face[i, x] = piece[k]


@njit(cache=True, nogil=True)
def _paint_ends(
    of_rows: NDArray[np.int64],
    begin: NDArray[np.int32],
    end: NDArray[np.int32],
    piece: NDArray[np.uint32],
    columns: int,
    side: int,
    face: NDArray[np.uint32],
) -> None:
    """Pieces of each row's first or last voxel."""
    for row in range(len(of_rows) - 1):
        if of_rows[row] == of_rows[row + 1]:
            continue
        k = of_rows[row + 1] - 1 if side else of_rows[row]
        if (end[k] == columns) if side else (begin[k] == 0):
            face[row] = piece[k]


__all__ = ["Runs", "runs_of"]
