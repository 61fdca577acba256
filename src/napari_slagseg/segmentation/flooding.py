"""Watershed from markers on 8-bit heights with one right answer, inside one block.

The height of a voxel is 255 less its probability. Each voxel of the foreground costs
``(L, d)``, pairs in the order of words: ``L`` is the greatest height on the way from
its marker, ``d`` the number of steps since that height was met. A marker's voxel costs
``(own height, 0)``. From a voxel of cost ``(L, d)`` to its face neighbour of height
``h`` it goes on as

    f((L, d), h) = (h, 1)      if h > L
                   (L, d + 1)  otherwise.

A voxel that is no marker costs the least ``f`` over its six neighbours. It takes the
label of the neighbour from which it is to be had at that cost; of several, that of the
cheapest, and of several of those, the smallest label. ``f`` keeps the order of costs and
always raises them, so these equations have exactly one solution, whatever the order in
which voxels, blocks or workers come to it. It is the flood of Meyer (1991) and Beucher &
Meyer (1993), where the first to come to a voxel keeps it, with time measured in steps
across what is flooded at one height and with the last ties settled by the labels; in
the words of the image-foresting transform (Falcao, Stolfi & Lotufo 2004), the cost is
that of the greatest height followed by the way across the plateau.

A block has one voxel of frame on all sides. A voxel's state is one int64: the cost,
``L << 23 | d``, in the upper half and the label in the lower one.

- background (and a frame beyond which nothing is): 0, which no offer can better;
- foreground not reached yet: `OPEN` in the upper half.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from napari_slagseg.data import SlagsegError
from napari_slagseg.segmentation.level_queues import (
    CHUNK,
    empty_queues,
    fetch_ahead,
    leave_chunk,
    neighbour,
    next_chunk,
)
from napari_slagseg.segmentation.places import Place

LEVELS = 256
STEP_BITS = 23
OPEN = (1 << 31) - 1
"""Cost of foreground that is not reached."""
NO_HEIGHT = 256
"""Stands for the height of what must not be changed: frame and background."""
_STEPS = (1 << STEP_BITS) - 1
_LABEL = 0xFFFFFFFF
_SPARE = 2 * LEVELS + 2  # chunks that are not full: two a level, one begun and one half emptied
_OK, _FULL, _FAR = 0, 1, 2


def flooded(
    markers: NDArray[np.uint32], probability: NDArray[np.uint8], phases: NDArray[np.uint8]
) -> NDArray[np.int64]:
    """Flood one block on its own.

    Parameters
    ----------
    markers : (z, y, x) uint32
        0 where there is none; inside the foreground only.
    probability : (z, y, x) uint8
    phases : (z, y, x) uint8
        Foreground where above 0.

    Returns
    -------
    state : (z + 2, y + 2, x + 2) int64
    """
    state = np.zeros(tuple(n + 2 for n in markers.shape), dtype=np.int64)
    reachable = _prepare(state, markers, probability, phases)
    flat = state.reshape(-1)
    plane, row = state.shape[1] * state.shape[2], state.shape[2]
    # every voxel waits at most once; pages that are never written to cost nothing
    pool = np.empty((reachable // CHUNK + _SPARE) * CHUNK, dtype=np.int32)
    _complain(_first_flood(flat, row, plane, pool))
    return state


def settle(state: NDArray[np.int64], probability: NDArray[np.uint8], room: float = 1.0) -> bool:
    """Let what the frame of a block offers flow into it, until all equations hold again.

    Inside, the equations must have held for an earlier frame that offered nothing
    better; costs then only fall.

    Parameters
    ----------
    state : (z + 2, y + 2, x + 2) int64
        Changed in place; its frame is not.
    probability : (z, y, x) uint8
    room : float
        Places in the queue for each voxel. A voxel may change its label while it
        waits, and then waits once more; it has six neighbours, so 8 always do.

    Returns
    -------
    done : bool
        False if the queue was too short: the state is then of no use.
    """
    z, y, x = probability.shape
    height = np.empty(state.shape, dtype=np.uint16)
    _heights(probability, height)
    plane, row = state.shape[1] * state.shape[2], state.shape[2]
    flat, levels = state.reshape(-1), height.reshape(-1)
    places = np.empty(2 * (z * y + y * x + z * x), dtype=np.int32)
    n = _take_offers(flat, levels, z, y, x, places)
    if n == 0:
        return True
    places = places[:n]
    costs = (flat[places] >> 32).astype(np.int32)
    order = np.argsort(costs, kind="stable")
    pool = np.empty((int(room * state.size / CHUNK) + _SPARE) * CHUNK, dtype=np.int32)
    status = _settle(flat, levels, row, plane, places[order], costs[order], pool)
    if status == _FULL:
        return False
    _complain(status)
    return True


def packed(shape: tuple[int, int, int], labels: Place, costs: Place) -> tuple[Any, int]:
    """State of a block, with a frame beyond which nothing is, and its checksum."""
    state = np.zeros(tuple(n + 2 for n in shape), dtype=np.int64)
    at = (labels.begin, labels.row, labels.plane, costs.begin, costs.row, costs.plane)
    return state, int(_pack(labels.flat, costs.flat, at, state))


def unpack(state: NDArray[np.int64], labels: Place, costs: Place) -> int:
    """Write labels and costs of a block; their checksum. Labels are 0 where nothing is reached."""
    at = (labels.begin, labels.row, labels.plane, costs.begin, costs.row, costs.plane)
    return int(_unpack(state, labels.flat, costs.flat, at))


def outer(state: NDArray[np.int64], axis: int, side: int) -> NDArray[np.int64]:
    """Outer voxels of a block on its low (-1) or high (1) side, as its neighbour is to see them."""
    at: list[Any] = [slice(1, -1)] * 3
    at[axis] = 1 if side < 0 else -2
    face = state[tuple(at)].copy()
    opened = np.int64(OPEN) << 32
    face[face >= opened] = opened  # the lower half may hold a height
    return face


def _complain(status: int) -> None:
    if status == _FAR:
        raise SlagsegError(
            f"A particle winds more than {_STEPS} voxels at one height away from its marker. "
            "Smooth the foreground, or remove what is no particle from it."
        )
    if status != _OK:
        raise RuntimeError(f"the flood ended with status {status}")


@njit(cache=True, nogil=True)
def _prepare(
    state: NDArray[np.int64],
    markers: NDArray[np.uint32],
    probability: NDArray[np.uint8],
    phases: NDArray[np.uint8],
) -> int:
    """Set the state of a block; foreground voxels. What is not reached carries its height."""
    depth, rows, columns = markers.shape
    found = 0
    for z in range(depth):
        for y in range(rows):
            for x in range(columns):
                if phases[z, y, x] == 0:
                    continue
                found += 1
                h = np.int64(255) - np.int64(probability[z, y, x])
                label = np.int64(markers[z, y, x])
                if label > 0:
                    state[z + 1, y + 1, x + 1] = (h << (STEP_BITS + 32)) | label
                else:
                    state[z + 1, y + 1, x + 1] = (np.int64(OPEN) << 32) | h
    return found


@njit(cache=True, nogil=True)
def _heights(probability: NDArray[np.uint8], height: NDArray[np.uint16]) -> None:
    """Heights of a block with its frame."""
    depth, rows, columns = probability.shape
    height[0] = NO_HEIGHT
    height[depth + 1] = NO_HEIGHT
    for z in range(1, depth + 1):
        height[z, 0] = NO_HEIGHT
        height[z, rows + 1] = NO_HEIGHT
        for y in range(1, rows + 1):
            height[z, y, 0] = NO_HEIGHT
            height[z, y, columns + 1] = NO_HEIGHT
            for x in range(columns):
                height[z, y, x + 1] = 255 - np.uint16(probability[z - 1, y - 1, x])


@njit(cache=True, nogil=True)
def _mixed(state: Any, place: Any) -> Any:
    """What a voxel adds to the checksum of its block."""
    x = (state + place * np.int64(0x1E3779B97F4A7C15)) * np.int64(0x3F58476D1CE4E5B9)
    return x ^ (x >> 31)


@njit(cache=True, nogil=True)
def _pack(
    labels: NDArray[np.uint32], costs: NDArray[np.uint32], at: Any, state: NDArray[np.int64]
) -> Any:
    check = np.int64(0)
    place = np.int64(0)
    depth, rows, columns = state.shape[0] - 2, state.shape[1] - 2, state.shape[2] - 2
    for z in range(depth):
        for y in range(rows):
            here = at[0] + y * at[1] + z * at[2]
            there = at[3] + y * at[4] + z * at[5]
            its_labels = labels[here : here + columns]
            its_costs = costs[there : there + columns]
            line = state[z + 1, y + 1, 1 : columns + 1]
            for x in range(columns):
                s = (np.int64(its_costs[x]) << 32) | np.int64(its_labels[x])
                line[x] = s
                check += _mixed(s, place + x)
            place += columns
    return check


@njit(cache=True, nogil=True)
def _unpack(
    state: NDArray[np.int64], labels: NDArray[np.uint32], costs: NDArray[np.uint32], at: Any
) -> Any:
    check = np.int64(0)
    place = np.int64(0)
    depth, rows, columns = state.shape[0] - 2, state.shape[1] - 2, state.shape[2] - 2
    for z in range(depth):
        for y in range(rows):
            here = at[0] + y * at[1] + z * at[2]
            there = at[3] + y * at[4] + z * at[5]
            its_labels = labels[here : here + columns]
            its_costs = costs[there : there + columns]
            line = state[z + 1, y + 1, 1 : columns + 1]
            for x in range(columns):
                s = line[x]
                # what is not reached may hold a height in the lower half
                s = (s >> 32) << 32 if s >> 32 == OPEN else s
                its_costs[x] = np.uint32(s >> 32)
                its_labels[x] = np.uint32(s & _LABEL)
                check += _mixed(s, place + x)
            place += columns
    return check


@njit(cache=True, nogil=True)
def offers_something(
    mine: NDArray[np.int64],
    heights: NDArray[np.uint8],
    now: NDArray[np.int64],
    before: NDArray[np.int64],
) -> bool:
    """Whether a neighbour's face may change a block's outer voxels.

    Parameters
    ----------
    mine : (n,) int64
        States of the outer voxels on this side.
    heights : (n,) uint8
        Theirs.
    now, before : (n,) int64
        The neighbour's voxels across the face, and those that the block has seen.
    """
    for k in range(len(mine)):
        if now[k] == before[k] or (mine[k] >> 32) & _STEPS == 0:
            continue  # background and markers never change
        cost = mine[k] >> 32
        label = mine[k] & _LABEL
        h = np.int64(heights[k])
        offer = _offer(now[k], h)
        if offer < cost or (offer == cost < OPEN and now[k] & _LABEL != label):
            return True
    return False


@njit(cache=True, nogil=True)
def _offer(state: Any, h: Any) -> Any:
    """Cost at which a voxel of height `h` is to be had from a neighbour; `OPEN` if not."""
    cost = state >> 32
    if state == 0 or cost == OPEN:
        return np.int64(OPEN)
    if h > cost >> STEP_BITS:
        return (h << STEP_BITS) | 1
    return cost + 1


@njit(cache=True, nogil=True)
def _cheaper(state: NDArray[np.int64], j: Any, cost: Any, row: int, plane: int) -> bool:
    """Whether a neighbour of voxel `j` is reached at less than `cost`."""
    limit = cost << 32
    found = 0 < state[j - plane] < limit
    found |= 0 < state[j - row] < limit
    found |= 0 < state[j - 1] < limit
    found |= 0 < state[j + 1] < limit
    found |= 0 < state[j + row] < limit
    found |= 0 < state[j + plane] < limit
    return found


@njit(cache=True, nogil=True)
def _solve(state: NDArray[np.int64], j: Any, h: Any, row: int, plane: int) -> Any:
    """State of a voxel by its equation; cost `OPEN` if no neighbour is reached."""
    best = np.int64(OPEN) << 32
    label = np.int64(0)
    for k in range(6):
        s = state[neighbour(j, k, row, plane)]
        offer = (_offer(s, h) << 32) | (s >> 32)
        if offer < best or (offer == best and s & _LABEL < label):
            best = offer
            label = s & _LABEL
    return ((best >> 32) << 32) | label


@njit(cache=True, nogil=True)
def _first_flood(state: NDArray[np.int64], row: int, plane: int, pool: NDArray[np.int32]) -> int:
    """Flood from the markers in the order of costs: what is reached first is final.

    Within a level the queue is sorted by steps by itself: first the markers, then what
    lower levels have left there (one step), then what the level's own voxels reach.
    The height of a reached voxel is not needed: at the time that a voxel of cost (L, d)
    goes on, neighbours of more than (L, d + 1) were all reached by a rise, so that they
    are to be had from here at the same cost.
    """
    head, tail, after, spare = empty_queues(LEVELS, len(pool))
    opened = np.int64(OPEN) << 32
    for m in range(plane, len(state) - plane):
        s = state[m]
        if s == 0 or s >= opened:
            continue
        greatest = max(state[m - plane], state[m - row], state[m - 1])
        greatest = max(greatest, state[m + 1], state[m + row], state[m + plane])
        if greatest < opened:
            continue  # nothing to reach from here
        level = s >> (32 + STEP_BITS)
        end = tail[level]
        if end & (CHUNK - 1) == 0:
            end = next_chunk(level, end, head, after, spare)
            if end < 0:
                return _FULL
        pool[end] = m
        tail[level] = end + 1
    for level in range(LEVELS):
        at: Any = head[level]
        if at < 0:
            continue
        while at != tail[level]:
            if at & (CHUNK - 1) == 0 and at != head[level]:
                at = leave_chunk(at, after, spare)
                head[level] = at
            fetch_ahead(state, pool, at, row, plane)
            i = np.int64(pool[at])
            at += 1
            s = state[i]
            label = s & _LABEL
            near = (s >> 32) + 1
            if near & _STEPS == 0:
                return _FAR
            for k in range(6):
                j = neighbour(i, k, row, plane)
                t = state[j]
                if t >= opened:
                    h = t & 255
                    if h > level:
                        state[j] = (((h << STEP_BITS) | 1) << 32) | label
                    else:
                        h = level
                        state[j] = (near << 32) | label
                    end = tail[h]
                    if end & (CHUNK - 1) == 0:
                        end = next_chunk(h, end, head, after, spare)
                        if end < 0:
                            return _FULL
                    pool[end] = j
                    tail[h] = end + 1
                elif label < t & _LABEL:
                    cost = t >> 32
                    if cost & _STEPS == 1:
                        # reached by a rise, or from a marker of its own height: from how cheap?
                        if cost >= near and not _cheaper(state, j, s >> 32, row, plane):
                            state[j] = (cost << 32) | label
                    elif cost == near:
                        state[j] = (cost << 32) | label
    return _OK


@njit(cache=True, nogil=True)
def _take_offers(
    state: NDArray[np.int64],
    height: NDArray[np.uint16],
    depth: int,
    rows: int,
    columns: int,
    places: NDArray[np.int32],
) -> int:
    """Solve the equations of the outer voxels of the block; number of those changed."""
    row = columns + 2
    plane = row * (rows + 2)
    n = 0
    for axis in range(3):
        for side in range(2):
            if axis == 0:
                outer, inner = rows, columns
                begin = (depth if side else 1) * plane + row + 1
                outer_step, inner_step = row, 1
            elif axis == 1:
                outer, inner = depth, columns
                begin = plane + (rows if side else 1) * row + 1
                outer_step, inner_step = plane, 1
            else:
                outer, inner = depth, rows
                begin = plane + row + (columns if side else 1)
                outer_step, inner_step = plane, row
            for a in range(outer):
                for b in range(inner):
                    j = begin + a * outer_step + b * inner_step
                    h = np.int64(height[j])
                    s = state[j]
                    if h == NO_HEIGHT or (s >> 32) & _STEPS == 0:
                        continue  # background or marker
                    t = _solve(state, j, h, row, plane)
                    if t != s and t >> 32 < OPEN:
                        state[j] = t
                        places[n] = j
                        n += 1
    return n


@njit(cache=True, nogil=True)
def _settle(
    state: NDArray[np.int64],
    height: NDArray[np.uint16],
    row: int,
    plane: int,
    places: NDArray[np.int32],
    costs: NDArray[np.int32],
    pool: NDArray[np.int32],
) -> int:
    """Go on from the changed voxels in `places`, sorted by their costs.

    Any order would lead to the same end, as whatever changes is queued and whatever is
    taken out of the queue brings its neighbours in line; in the order of costs most
    voxels change once. An entry whose voxel has become cheaper since is passed over:
    it has gone on from its new place in the queue.
    """
    head, tail, after, spare = empty_queues(LEVELS, len(pool))
    n = len(places)
    taken = 0
    for level in range(LEVELS):
        at: Any = head[level]
        while True:
            if at < 0:
                at = head[level]
            waiting = at >= 0 and at != tail[level]
            if waiting and at & (CHUNK - 1) == 0 and at != head[level]:
                at = leave_chunk(at, after, spare)
                head[level] = at
            if (
                taken < n
                and costs[taken] >> STEP_BITS == level
                and (not waiting or costs[taken] <= state[pool[at]] >> 32)
            ):
                i = np.int64(places[taken])
                taken += 1
            elif waiting:
                fetch_ahead(state, pool, at, row, plane)
                i = np.int64(pool[at])
                at += 1
            else:
                break
            s = state[i]
            label = s & _LABEL
            cost = s >> 32
            if cost >> STEP_BITS != level:
                continue
            if (cost + 1) & _STEPS == 0:
                return _FAR
            for k in range(6):
                j = neighbour(i, k, row, plane)
                h = np.int64(height[j])
                if h == NO_HEIGHT:
                    continue
                t = state[j]
                offer = cost + 1
                if h > level:
                    offer = (h << STEP_BITS) | 1
                old = t >> 32
                if offer < old:
                    state[j] = (offer << 32) | label
                elif offer == old and label != t & _LABEL:
                    best = _solve(state, j, h, row, plane)
                    if best == t:
                        continue
                    state[j] = best
                else:
                    continue
                to = offer >> STEP_BITS
                end = tail[to]
                if end & (CHUNK - 1) == 0:
                    end = next_chunk(to, end, head, after, spare)
                    if end < 0:
                        return _FULL
                pool[end] = j
                tail[to] = end + 1
    return _OK


__all__ = [
    "OPEN",
    "STEP_BITS",
    "flooded",
    "offers_something",
    "outer",
    "packed",
    "settle",
    "unpack",
]
