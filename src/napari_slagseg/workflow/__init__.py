"""The steps a user takes, as functions from project to project, and where they run.

What is exported loads on first use: worker processes of `blockwise` need none of the steps.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_slagseg.workflow.configs import (
        QUICK_TRAINING,
        AnnotateConfig,
        MeasureConfig,
        ProposalConfig,
        RegisterConfig,
        ReportConfig,
        SegmentConfig,
        StepConfig,
        SuspectsConfig,
        TeachConfig,
        TrainConfig,
    )
    from napari_slagseg.workflow.pipeline import PIPELINE, STEPS, run_pipeline, states, step_named
    from napari_slagseg.workflow.process import StepMessage, StepProcess
    from napari_slagseg.workflow.step import (
        Step,
        StepResult,
        StepState,
        last_config,
        make_config,
        run_step,
    )

_HOMES = {
    "configs": (
        "QUICK_TRAINING",
        "AnnotateConfig",
        "MeasureConfig",
        "ProposalConfig",
        "RegisterConfig",
        "ReportConfig",
        "SegmentConfig",
        "StepConfig",
        "SuspectsConfig",
        "TeachConfig",
        "TrainConfig",
    ),
    "pipeline": ("PIPELINE", "STEPS", "run_pipeline", "states", "step_named"),
    "process": ("StepMessage", "StepProcess"),
    "step": ("Step", "StepResult", "StepState", "last_config", "make_config", "run_step"),
}


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{home}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "PIPELINE",
    "QUICK_TRAINING",
    "STEPS",
    "AnnotateConfig",
    "MeasureConfig",
    "ProposalConfig",
    "RegisterConfig",
    "ReportConfig",
    "SegmentConfig",
    "Step",
    "StepConfig",
    "StepMessage",
    "StepProcess",
    "StepResult",
    "StepState",
    "SuspectsConfig",
    "TeachConfig",
    "TrainConfig",
    "last_config",
    "make_config",
    "run_pipeline",
    "run_step",
    "states",
    "step_named",
]
