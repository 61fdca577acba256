"""What each column of the tables holds: unit, meaning, source."""

from __future__ import annotations

from collections.abc import Sequence

from napari_slagseg.data import (
    PARTICLE_COLUMNS,
    SECTION_COLUMNS,
    ColumnDefinition,
    PhaseTable,
)
from napari_slagseg.descriptors.phase_columns import (
    ERODED_COLUMN,
    fraction_columns,
    phase_definitions,
)

_K = "Kirstein et al."
_AREA = "Schladitz, Ohser & Nagel 2006; Voronoi weights of Lehmann & Legland 2012"
_PERIMETER = "Benkrid & Crookes 2000 (skimage.measure.perimeter)"

_PARTICLE = {
    "label": ("", "Value of the particle in the label volume.", ""),
    "touches_border": (
        "",
        "True where a voxel of the particle lies in the first or last plane along any axis: "
        "the particle may be cut off. Statistics leave it out by default.",
        "",
    ),
    "n_voxels": ("voxel", "Voxels of the particle, |P|, whatever their phase.", f"{_K} 2.4"),
    "volume_um3": ("um^3", "Voxels times the volume of a voxel.", f"{_K} 2.4.1"),
    "equivalent_diameter_um": (
        "um",
        "Diameter of the ball of the same volume, (6 V / pi)^(1/3).",
        f"{_K} 2.4.1",
    ),
    "surface_area_um2": (
        "um^2",
        "Surface area S by weighted 2x2x2 voxel configurations (13 directions). Other particles, "
        "pores (label 0) and all beyond the volume's border count as outside.",
        _AREA,
    ),
    "sphericity": (
        "",
        "pi^(1/3) (6 V)^(2/3) / S. Flat faces along the axes are measured up to 7 % too small, "
        "so values a little above 1 occur.",
        f"{_K} 2.4.1",
    ),
    "axis_major_um": (
        "um",
        "Longest side a1 of the oriented minimum-volume box around the voxels' corners.",
        f"{_K} 2.4.1",
    ),
    "axis_intermediate_um": ("um", "Second side a2 of that box.", f"{_K} 2.4.1"),
    "axis_minor_um": ("um", "Shortest side a3 of that box.", f"{_K} 2.4.1"),
    "elongation": ("", "a2 / a1; small for needles.", f"{_K} Eq. 4"),
    "flatness": ("", "a3 / a2; small for plates.", f"{_K} Eq. 4"),
    "volume_liberation": (
        "",
        "Share of the particle's voxels that are the target phase, |P n T| / |P|.",
        f"{_K} 2.4.2",
    ),
    "surface_liberation": (
        "",
        "Share of the particle's surface voxels that are the target phase. A surface voxel has "
        "one of its six neighbours outside the particle (another particle, background, or "
        "beyond the volume's border).",
        f"{_K} 2.4.2",
    ),
    "intergrowth_boundary_um2": (
        "um^2",
        "Area of the interface between target and all else inside the particle, "
        "(S(P n T) + S(P \\ T) - S(P)) / 2, with the weighted surface.",
        f"{_K} Eq. 5",
    ),
    "amstutz_giger_index": (
        "",
        "Intergrowth boundary / (intergrowth boundary + surface).",
        f"{_K} Eq. 6",
    ),
    "normalized_intergrowth_boundary": (
        "",
        "Surface of the ball with the target's volume / intergrowth boundary, "
        "pi^(1/3) (6 |P n T|)^(2/3) / IB; empty where there is no interface.",
        f"{_K} Eq. 7",
    ),
    "centroid_z_um": (
        "um",
        "Mean voxel index along z times the voxel edge: the centre of the first voxel is at 0.",
        "",
    ),
    "centroid_y_um": ("um", "The same along y.", ""),
    "centroid_x_um": ("um", "The same along x.", ""),
    "border_weight": (
        "",
        "For how many particles of the material this one stands where those that touch the "
        "volume's border are left out: the product of L / (L - d - 1) over the axes, in voxels: "
        "L the edge of the volume, d that of the particle's bounding box. 0 for particles that "
        "touch the border.",
        "Miles 1974; Lantuejoul 1980",
    ),
    "extent_z_um": (
        "um",
        "Edge of the bounding box along z: first to last voxel, both included.",
        "",
    ),
    "extent_y_um": ("um", "The same along y.", ""),
    "extent_x_um": ("um", "The same along x.", ""),
    "feret_max_um": (
        "um",
        "Maximum Feret diameter: largest distance of two corners of the particle's voxels.",
        "ISO 9276-6:2008",
    ),
    "feret_min_um": (
        "um",
        "Minimum Feret diameter: smallest distance, over all directions, of two parallel planes "
        "with the particle between them; exact for the voxels' corners.",
        "ISO 9276-6:2008; Houle & Toussaint 1988",
    ),
    "sieve_diameter_um": (
        "um",
        "Side of the smallest square hole that the particle passes, moving straight along some "
        "direction. An upper bound by search; see the table of errors.",
        "",
    ),
    "convex_volume_um3": ("um^3", "Volume of the convex hull of the voxels' corners.", ""),
    "convex_surface_um2": ("um^2", "Surface area of that hull.", ""),
    "solidity": (
        "",
        "Volume / convex volume; 3D analogue of the term for projections.",
        "ISO 9276-6:2008, 3D analogue",
    ),
    "convexity": (
        "",
        "Convex surface / surface; 3D analogue of the ratio of perimeters. Flat faces along the "
        "axes are measured up to 7 % too small, so values a little above 1 occur.",
        "ISO 9276-6:2008, 3D analogue",
    ),
    "exposed_target_area_um2": (
        "um^2",
        "Area of the target's boundary with all outside the particle, with the weighted surface.",
        _AREA,
    ),
    "density_g_cm3": (
        "g/cm^3",
        "Mean density of the particle from the densities of its phases; empty where a phase in it "
        "has no density, or where it has voxels of no phase.",
        "",
    ),
    "mass_ug": ("ug", "Mean density times volume; empty where the density is.", ""),
}

_SECTION = {
    "section": ("", "Index of the slice along the section axis, or number of the map.", ""),
    "label": (
        "",
        "Value of the particle in the labels. All its pieces in one slice are one section.",
        f"{_K} 2.4",
    ),
    "touches_border": (
        "",
        "True where a pixel lies in the first or last row or column of the plane: the section "
        "may be cut off. The volume's borders along the section axis cut no section off. "
        "Statistics leave it out by default.",
        "",
    ),
    "n_pixels": ("pixel", "Pixels of the section, |P'|, whatever their phase.", f"{_K} 2.4"),
    "area_um2": ("um^2", "Pixels times the area of a pixel.", f"{_K} 2.4.1"),
    "equivalent_diameter_um": (
        "um",
        "Diameter of the disc of the same area, (4 A / pi)^(1/2).",
        f"{_K} 2.4.1",
    ),
    "perimeter_um": (
        "um",
        "Perimeter L of all pieces and holes; links of border pixels have their true lengths "
        "where pixels are not square. 0 for a single pixel.",
        _PERIMETER,
    ),
    "circularity": (
        "",
        "4 pi A / L^2; above 1 for small sections, empty where L is 0.",
        f"{_K} 2.4.1",
    ),
    "axis_major_um": (
        "um",
        "Longer side a1 of the minimum-area rectangle around the pixels' corners.",
        f"{_K} 2.4.1",
    ),
    "axis_minor_um": ("um", "Shorter side a2 of that rectangle.", f"{_K} 2.4.1"),
    "elongation": ("", "a2 / a1; small for needles.", f"{_K} Eq. 4"),
    "volume_liberation": (
        "",
        "Share of the section's area that is the target phase (named as in 3D).",
        f"{_K} 2.4.2",
    ),
    "surface_liberation": (
        "",
        "Share of the section's boundary pixels that are the target phase. A boundary pixel has "
        "one of its four neighbours outside the section.",
        f"{_K} 2.4.2",
    ),
    "intergrowth_boundary_um": (
        "um",
        "(L(P' n T) + L(P' \\ T) - L(P')) / 2 with the same perimeter, not below 0.",
        f"{_K} Eq. 5",
    ),
    "amstutz_giger_index": (
        "",
        "Intergrowth boundary / (intergrowth boundary + perimeter).",
        f"{_K} Eq. 6",
    ),
    "normalized_intergrowth_boundary": (
        "",
        "2 (pi |P' n T|)^(1/2) / intergrowth boundary; empty where there is no interface.",
        f"{_K} Eq. 7",
    ),
    "centroid_row_um": (
        "um",
        "Mean row index times the pixel edge: the centre of the first pixel is at 0.",
        "",
    ),
    "centroid_column_um": ("um", "The same along the columns.", ""),
    "border_weight": (
        "",
        "For how many sections of the plane this one stands where those that touch its edges are "
        "left out: the product of L / (L - d - 1) over rows and columns, in pixels: L the edge of "
        "the plane, d that of the section's bounding box. 0 for sections that touch an edge.",
        "Miles 1974; Lantuejoul 1980",
    ),
    "extent_row_um": ("um", "Edge of the bounding box along the rows' index.", ""),
    "extent_column_um": ("um", "The same along the columns' index.", ""),
    "feret_max_um": (
        "um",
        "Maximum Feret diameter: largest distance of two corners of the section's pixels.",
        "ISO 9276-6:2008",
    ),
    "feret_min_um": (
        "um",
        "Minimum Feret diameter: smallest distance, over all directions, of two parallel lines "
        "with the section between them; exact for the pixels' corners.",
        "ISO 9276-6:2008",
    ),
    "convex_area_um2": ("um^2", "Area of the convex hull of the pixels' corners.", ""),
    "convex_perimeter_um": ("um", "Perimeter of that hull.", ""),
    "solidity": ("", "Area / convex area.", "ISO 9276-6:2008"),
    "convexity": (
        "",
        "Convex perimeter / perimeter; above 1 for small sections, as the perimeter runs through "
        "the centres of border pixels and the hull around their corners. Empty where the "
        "perimeter is 0.",
        "ISO 9276-6:2008",
    ),
}


def definitions(
    table: PhaseTable,
    dimension: int,
    erosion_voxels: int = 0,
    *,
    accessible_depth_um: float = 0.0,
    grains: bool = False,
) -> dict[str, ColumnDefinition]:
    """Definitions of all columns, in the order of the table.

    Parameters
    ----------
    table : PhaseTable
    dimension : int
        3 for particles, 2 for sections.
    erosion_voxels : int
        Above 0: with `ERODED_COLUMN` and what belongs to it.
    accessible_depth_um, grains
        See `phase_columns.phase_definitions`.
    """
    known = _PARTICLE if dimension == 3 else _SECTION
    names: Sequence[str] = PARTICLE_COLUMNS if dimension == 3 else SECTION_COLUMNS
    return {name: ColumnDefinition(*known[name]) for name in names} | phase_definitions(
        table,
        dimension,
        accessible_depth_um=accessible_depth_um,
        grains=grains,
        erosion_voxels=erosion_voxels,
    )


__all__ = ["ERODED_COLUMN", "definitions", "fraction_columns"]
