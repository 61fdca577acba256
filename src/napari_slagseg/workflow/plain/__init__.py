"""The steps on plain files, without a project."""

from napari_slagseg.workflow.plain.describing import describe_files
from napari_slagseg.workflow.plain.placing import place_files
from napari_slagseg.workflow.plain.predicting import model_path, predict_files
from napari_slagseg.workflow.plain.scoring import score_files
from napari_slagseg.workflow.plain.separating import separate_files

__all__ = [
    "describe_files",
    "model_path",
    "place_files",
    "predict_files",
    "score_files",
    "separate_files",
]
