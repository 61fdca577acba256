"""The steps a user takes, as functions from project to project, and where they run."""

from napari_slagseg.workflow.configs import (
    QUICK_TRAINING,
    AnnotateConfig,
    MeasureConfig,
    RegisterConfig,
    ReportConfig,
    SegmentConfig,
    StepConfig,
    TrainConfig,
)
from napari_slagseg.workflow.pipeline import STEPS, run_pipeline, states, step_named
from napari_slagseg.workflow.process import StepMessage, StepProcess
from napari_slagseg.workflow.step import (
    Step,
    StepResult,
    StepState,
    last_config,
    make_config,
    run_step,
)

__all__ = [
    "QUICK_TRAINING",
    "STEPS",
    "AnnotateConfig",
    "MeasureConfig",
    "RegisterConfig",
    "ReportConfig",
    "SegmentConfig",
    "Step",
    "StepConfig",
    "StepMessage",
    "StepProcess",
    "StepResult",
    "StepState",
    "TrainConfig",
    "last_config",
    "make_config",
    "run_pipeline",
    "run_step",
    "states",
    "step_named",
]
