"""Records of the edit journal as bytes.

A record is::

    length    8 bytes, little-endian: of head and body with the head's own length
    check     4 bytes: CRC-32 of the length and of all that follows
    n         4 bytes: length of the head
    head      JSON in UTF-8
    body      zstd streams: of every delta its places (as steps), old and new values

Nothing in it is code: the arrays are plain numbers whose types and counts the head states.
"""

from __future__ import annotations

import json
import math
import struct
import zlib
from collections.abc import Mapping
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from napari_slagseg.data import Action, Delta, SlagsegError

PREFIX = struct.Struct("<QI")
_LENGTH = struct.Struct("<Q")
HEAD = struct.Struct("<I")
_LEVEL = 1  # of zstd: labels gain nothing from more, and an edit waits for it

Head = dict[str, Any]


class DamagedRecordError(ValueError):
    """Bytes that are no whole record."""


def framed(head: Mapping[str, Any], body: bytes = b"") -> bytes:
    """A record of a head and a body.

    Raises
    ------
    SlagsegError
        If the head holds something else than JSON values.
    """
    try:
        text = json.dumps(head, ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError) as error:
        raise SlagsegError(
            f"An edit cannot be stored: its parameters are not all plain numbers, words and "
            f"lists ({error})."
        ) from error
    payload = HEAD.pack(len(text)) + text + body
    length = _LENGTH.pack(len(payload))
    return PREFIX.pack(len(payload), zlib.crc32(payload, zlib.crc32(length))) + payload


def payload_of(prefix: bytes, rest: bytes) -> bytes:
    """The bytes after a prefix, checked.

    Raises
    ------
    DamagedRecordError
    """
    length, check = PREFIX.unpack(prefix)
    if len(rest) != length or zlib.crc32(rest, zlib.crc32(_LENGTH.pack(length))) != check:
        raise DamagedRecordError("the check sum does not fit")
    return rest


def unframed(payload: bytes) -> tuple[Head, memoryview]:
    """Head and body of a payload.

    Raises
    ------
    DamagedRecordError
    """
    try:
        (n,) = HEAD.unpack_from(payload)
        head = json.loads(payload[HEAD.size : HEAD.size + n])
    except (struct.error, ValueError) as error:
        raise DamagedRecordError(f"its head is damaged ({error})") from error
    if not isinstance(head, dict):
        raise DamagedRecordError("its head is no JSON object")
    return head, memoryview(payload)[HEAD.size + n :]


def packed_deltas(deltas: tuple[Delta, ...]) -> tuple[list[Head], bytes]:
    """What a head says of deltas, and their body."""
    heads, streams = [], []
    for delta in deltas:
        # neighbours follow each other: steps of one, which take next to no space
        steps = np.diff(delta.places, prepend=delta.places.dtype.type(0))
        made = [_packed(a) for a in (steps, delta.old, delta.new)]
        heads.append(
            {
                "array": delta.array,
                "start": delta.start,
                "shape": delta.shape,
                "count": len(delta),
                "places": _little(delta.places).dtype.str,
                "values": _little(delta.old).dtype.str,
                "bytes": [len(m) for m in made],
            }
        )
        streams += made
    return heads, b"".join(streams)


def unpacked_deltas(heads: list[Head], body: memoryview) -> tuple[Delta, ...]:
    """Deltas of a head and a body.

    Raises
    ------
    DamagedRecordError
        If the two do not fit each other.
    """
    found, at = [], 0
    try:
        for head in heads:
            count, shape = int(head["count"]), head["shape"]
            if not 0 <= count <= math.prod(shape):
                raise DamagedRecordError(f"{count} changed voxels in a box of {shape}")
            types = [head["places"], head["values"], head["values"]]
            arrays = []
            for kind, n in zip(types, head["bytes"], strict=True):
                arrays.append(_unpacked(bytes(body[at : at + n]), kind, count))
                at += n
            steps, old, new = arrays
            places = np.cumsum(steps, dtype=steps.dtype)
            start = tuple(head["start"])
            found.append(Delta(head["array"], start, tuple(shape), places, old, new))  # type: ignore[arg-type]
    except (KeyError, TypeError, ValueError) as error:
        raise DamagedRecordError(str(error)) from error
    return tuple(found)


def action_head(action: Action) -> Head:
    """What a head says of an action, but for its deltas."""
    return {
        "type": "action",
        "id": action.id,
        "kind": action.kind,
        "parameters": dict(action.parameters),
        "labels_before": list(action.labels_before),
        "labels_after": list(action.labels_after),
        "who": action.who,
        "when": action.when,
    }


def action_of(head: Head, body: memoryview) -> Action:
    """The action of a record.

    Raises
    ------
    DamagedRecordError
    """
    try:
        return Action(
            kind=str(head["kind"]),
            parameters=dict(head["parameters"]),
            deltas=unpacked_deltas(head["deltas"], body),
            labels_before=tuple(head["labels_before"]),
            labels_after=tuple(head["labels_after"]),
            who=str(head["who"]),
            when=str(head["when"]),
            id=str(head["id"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise DamagedRecordError(str(error)) from error


def _little(values: NDArray[Any]) -> NDArray[Any]:
    return np.ascontiguousarray(values, values.dtype.newbyteorder("<"))


def _packed(values: NDArray[Any]) -> bytes:
    return bytes(imagecodecs.zstd_encode(_little(values).tobytes(), level=_LEVEL))


def _unpacked(stream: bytes, kind: str, count: int) -> NDArray[Any]:
    dtype = np.dtype(kind)
    if dtype.kind not in "iu":
        raise DamagedRecordError(f"values of type {dtype}")
    out = np.empty(count, dtype)
    if count:
        try:
            n = len(imagecodecs.zstd_decode(stream, out=out.data.cast("B")))
        except imagecodecs.ZstdError as error:
            raise DamagedRecordError(str(error)) from error
        if n != out.nbytes:
            raise DamagedRecordError(f"{n} bytes where {out.nbytes} are due")
    return out.astype(dtype.newbyteorder("="), copy=False)


__all__ = [
    "HEAD",
    "PREFIX",
    "DamagedRecordError",
    "Head",
    "action_head",
    "action_of",
    "framed",
    "packed_deltas",
    "payload_of",
    "unframed",
    "unpacked_deltas",
]
