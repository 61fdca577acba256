"""What sections show against what particles are, and back: bias, kernel, correction."""

from napari_slagseg.liberation.stereology.bias import stereology_bias, stereology_curves
from napari_slagseg.liberation.stereology.classes import GradeClasses
from napari_slagseg.liberation.stereology.correction import Correction, correct_sections
from napari_slagseg.liberation.stereology.kernel import SectionKernel, section_kernel
from napari_slagseg.liberation.stereology.results import StereologyResults, stereology_results

__all__ = [
    "Correction",
    "GradeClasses",
    "SectionKernel",
    "StereologyResults",
    "correct_sections",
    "section_kernel",
    "stereology_bias",
    "stereology_curves",
    "stereology_results",
]
