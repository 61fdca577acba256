"""The papers that a report cites."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Reference:
    """One paper: how it is cited in the text, and its entry in the list."""

    cited: str
    entry: str


REFERENCES: dict[str, Reference] = {
    "kirstein": Reference(
        "Kirstein et al., 2026",
        "Kirstein, T., Rachmawati, C., Bachmann, K., Löwer, E., Ditscherlein, R., Furat, O., "
        "Peuker, U. A., Schmidt, V. (2026). CNN-based 3D characterization and liberation analysis "
        "of lithium-bearing slag particles using correlative CT and SEM imaging.",
    ),
    "unet": Reference(
        "Ronneberger et al., 2015",
        "Ronneberger, O., Fischer, P., Brox, T. (2015). U-Net: Convolutional networks for "
        "biomedical image segmentation. MICCAI 2015, LNCS 9351, 234-241.",
    ),
    "focal": Reference(
        "Lin et al., 2017",
        "Lin, T.-Y., Goyal, P., Girshick, R., He, K., Dollár, P. (2017). Focal loss for dense "
        "object detection. ICCV 2017, 2980-2988.",
    ),
    "schladitz": Reference(
        "Schladitz et al., 2006",
        "Schladitz, K., Ohser, J., Nagel, W. (2006). Measuring intrinsic volumes in digital 3d "
        "images. DGCI 2006, LNCS 4245, 247-258.",
    ),
    "lehmann": Reference(
        "Lehmann and Legland, 2012",
        "Lehmann, G., Legland, D. (2012). Efficient N-dimensional surface estimation using Crofton "
        "formula and run-length encoding. The Insight Journal.",
    ),
    "benkrid": Reference(
        "Benkrid and Crookes, 2000",
        "Benkrid, K., Crookes, D. (2000). Design and FPGA implementation of a perimeter estimator. "
        "Irish Machine Vision and Image Processing Conference.",
    ),
    "miles": Reference(
        "Miles, 1974",
        "Miles, R. E. (1974). On the elimination of edge effects in planar sampling. In: Harding, "
        "E. F., Kendall, D. G. (eds.), Stochastic Geometry. Wiley.",
    ),
    "lantuejoul": Reference(
        "Lantuéjoul, 1980",
        "Lantuéjoul, C. (1980). On the estimation of mean values in individual analysis of "
        "particles. Microscopica Acta, Supplement.",
    ),
    "efron": Reference(
        "Efron and Tibshirani, 1993",
        "Efron, B., Tibshirani, R. J. (1993). An Introduction to the Bootstrap. Chapman & Hall.",
    ),
    "iupac": Reference(
        "IUPAC CIAAW",
        "IUPAC Commission on Isotopic Abundances and Atomic Weights. Standard atomic weights, as "
        "distributed with the Python package periodictable.",
    ),
    "iso9276": Reference(
        "ISO 9276-6:2008",
        "ISO 9276-6:2008. Representation of results of particle size analysis, Part 6: Descriptive "
        "and quantitative representation of particle shape and morphology.",
    ),
}


def citation(*keys: str) -> str:
    """``(A, year; B, year)`` for the text."""
    return f"({'; '.join(REFERENCES[key].cited for key in keys)})"


def narrative(key: str) -> str:
    """``A (year)`` for the text."""
    author, comma, year = REFERENCES[key].cited.rpartition(", ")
    return f"{author} ({year})" if comma else year


def entries(keys: Iterable[str]) -> list[str]:
    """Entries of the list of references, each once, by author."""
    return sorted({REFERENCES[key].entry for key in keys})


__all__ = ["REFERENCES", "Reference", "citation", "entries", "narrative"]
