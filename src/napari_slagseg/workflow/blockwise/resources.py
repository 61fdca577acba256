"""What work may use of the machine; nothing of it changes a result."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from napari_slagseg.workflow.blockwise.memory import parse_memory

BackendName = Literal["auto", "threads", "processes", "dask"]


def _as_bytes(value: Any) -> Any:
    return parse_memory(value) if isinstance(value, str) else value


class Resources(BaseModel):
    """Where blocks are worked on, and with how much.

    Not part of a step's configuration: a step that was run with other resources is
    not out of date.

    Attributes
    ----------
    memory : int or None
        Bytes, or a text such as "8GB". None takes most of what is free.
    workers : int or None
        Blocks at the same time; None takes one a core.
    scheduler : str or None
        Address of a dask scheduler, ``tcp://host:port``.
    backend : {"auto", "threads", "processes", "dask"}
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    memory: Annotated[int, Field(gt=0), BeforeValidator(_as_bytes)] | None = Field(
        default=None,
        description="memory that the work may use, such as 8GB; none given: 80 % of what is free",
    )
    workers: int | None = Field(
        default=None, gt=0, description="blocks worked on at the same time; none given: one a core"
    )
    scheduler: str | None = Field(
        default=None,
        description="address of a dask scheduler (tcp://host:port) whose workers do the blocks; "
        "none given: this machine does",
    )
    backend: BackendName = Field(
        default="auto",
        description="what works on the blocks: threads, processes (they survive a crash of one), "
        "dask (with a scheduler), or auto",
    )


DEFAULT_RESOURCES = Resources()
"""All cores, most of the free memory, this machine."""


__all__ = ["DEFAULT_RESOURCES", "BackendName", "Resources"]
