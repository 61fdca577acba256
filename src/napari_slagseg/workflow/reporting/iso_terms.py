"""Terms of ISO 9276-6 for columns, where one applies.

The standard defines shape descriptors on images (2D). What we measure in 3D is the same idea in
one more dimension; it is named an analogue, as it is not the standard's own quantity.
"""

from __future__ import annotations

_ANALOGUE = "3D analogue of "

ISO_TERMS_2D: dict[str, str] = {
    "equivalent_diameter_um": "area-equivalent diameter x_A",
    "perimeter_um": "perimeter P",
    "feret_max_um": "maximum Feret diameter x_Fmax",
    "feret_min_um": "minimum Feret diameter x_Fmin",
    "circularity": "form factor FF, the square of the circularity C",
    "solidity": "solidity (area / area of the convex hull)",
    "convexity": "convexity (perimeter of the convex hull / perimeter)",
}
"""Of columns of 2D tables."""

ISO_TERMS_3D: dict[str, str] = {
    "equivalent_diameter_um": "volume-equivalent diameter x_V",
    "surface_area_um2": "surface area S",
    "sphericity": "Wadell's sphericity psi",
    "feret_max_um": _ANALOGUE + "the maximum Feret diameter x_Fmax",
    "feret_min_um": _ANALOGUE + "the minimum Feret diameter x_Fmin",
    "solidity": _ANALOGUE + "solidity (volume / volume of the convex hull)",
    "convexity": _ANALOGUE + "convexity (surface of the convex hull / surface)",
}
"""Of columns of 3D tables and of grains."""


def iso_term(column: str, dimension: int) -> str:
    """Term of the standard, or "" where none applies."""
    return (ISO_TERMS_2D if dimension == 2 else ISO_TERMS_3D).get(column, "")


__all__ = ["ISO_TERMS_2D", "ISO_TERMS_3D", "iso_term"]
