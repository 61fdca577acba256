"""Work on the blocks of volumes on disk: persistent, bounded in memory, on one machine or many.

What is exported loads on first use, so that a worker process loads little more than its task.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_slagseg.workflow.blockwise.costs import BlockCosts
    from napari_slagseg.workflow.blockwise.memory import BlockPlan, choose_blocks, parse_memory
    from napari_slagseg.workflow.blockwise.opening import open_run, plan_blocks
    from napari_slagseg.workflow.blockwise.plan import StepPlan, plan_step
    from napari_slagseg.workflow.blockwise.resources import Resources
    from napari_slagseg.workflow.blockwise.run import DiskRun

_HOMES = {
    "BlockCosts": "costs",
    "BlockPlan": "memory",
    "DiskRun": "run",
    "Resources": "resources",
    "StepPlan": "plan",
    "plan_step": "plan",
    "choose_blocks": "memory",
    "open_run": "opening",
    "parse_memory": "memory",
    "plan_blocks": "opening",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "BlockCosts",
    "BlockPlan",
    "DiskRun",
    "Resources",
    "StepPlan",
    "choose_blocks",
    "open_run",
    "parse_memory",
    "plan_blocks",
    "plan_step",
]
