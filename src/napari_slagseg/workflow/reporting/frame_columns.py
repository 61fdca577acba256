"""What the columns of the tables of results mean."""

from __future__ import annotations

from napari_slagseg.data import ColumnDefinition

_BOOTSTRAP = "Efron & Tibshirani 1993"


def _c(unit: str, meaning: str, source: str = "") -> ColumnDefinition:
    return ColumnDefinition(unit, meaning, source)


SHARED: dict[str, ColumnDefinition] = {
    "sample": _c("", "Which particles: those in 3D, sections of them, or the maps' own."),
    "value": _c("", "The estimate; empty where it cannot be computed (see the warnings)."),
    "low": _c("", "Lower end of the interval of the value.", _BOOTSTRAP),
    "high": _c("", "Upper end of the interval of the value.", _BOOTSTRAP),
    "phase": _c("", "Phase, as the legend names it."),
    "element": _c("", "Chemical element."),
    "basis": _c("", "What is counted: number, volume (area in 2D) or mass."),
    "by": _c("", "Kind of liberation: by composition (volume), by free surface, or by the surface "
             "after erosion."),
    "partner": _c("", "The other phase; outside is all outside the particle."),
    "quantity": _c("", "What the value is."),
    "unit": _c("", "Unit of the value; 'share' is 0 to 1."),
    "n_particles": _c("", "Particles (particle sections) counted in the row, without weights."),
    "n": _c("", "Particles (grains, sections) in the class, without weights."),
    "lower_um": _c("um", "Lower edge of the size class, which leaves it out."),
    "upper_um": _c("um", "Upper edge of the size class, which holds it."),
    "size": _c("", "Which size: the column of the particle (or grain) table."),
    "passing": _c("share", "Share up to the upper edge of the class (cumulative)."),
    "passing_low": _c("share", "Lower end of the interval of passing.", _BOOTSTRAP),
    "passing_high": _c("share", "Upper end of the interval of passing.", _BOOTSTRAP),
    "label": _c("", "Label of the particle in the particle table."),
    "section": _c("", "Number of the section or of the map, for samples in 2D."),
}  # fmt: skip
"""Columns that mean the same in every table."""

_SHARE = "0 to 1."

OF_FRAME: dict[str, dict[str, ColumnDefinition]] = {
    "suspects": {
        "label": _c("", "Label of the particle; 0 for one that was missed."),
        "kind": _c("", "What may be wrong: merger (two in one), splitter (one in two), shape "
                   "(holes, odd shape), doubt, missed (phases without a particle)."),
        "score": _c("", "0 to 1: how likely it is wrong in this way, by rules fitted on phantoms; "
                    "to be read as an order."),
        "partner": _c("", "Of a splitter, the label of the other part; of a missed particle, which "
                      "voxel is its first (counted from 1, z slowest, x fastest); else 0."),
        "reasons": _c("", "What speaks for it, in words."),
        "z_um": _c("um", "Where to look, from the first corner of the CT."),
        "y_um": _c("um", "Where to look, from the first corner of the CT."),
        "x_um": _c("um", "Where to look, from the first corner of the CT."),
    },
    "summary": {},
    "border_handling": {
        "border": _c("", "How particles at the border count: left out (exclude), left out and the "
                     "others weighted (weighted), taken as whole (include).",
                     "Miles 1974; Lantuejoul 1980"),
    },
    "modal": {
        "value": _c("share", f"Share of the phase of all that has a phase, {_SHARE}"),
    },
    "assay": {
        "value": _c("share", "Mass of the element / mass of the particles, from the formulas "
                    f"and densities of the phases, {_SHARE}", "atomic weights: IUPAC CIAAW"),
    },
    "element_distribution": {
        "value": _c("share", f"Share of the element's mass that the phase carries, {_SHARE}"),
    },
    "liberation_curves": {
        "threshold": _c("share", "Least degree of liberation."),
        "value": _c("share", "Target in particles liberated at least so far / all target.",
                    "Kirstein et al. Eq. 8"),
    },
    "liberation_steps": {
        "threshold": _c("share", "A degree of liberation that occurs."),
        "value": _c("share", "The liberation curve there, exactly; it has this value down to the "
                    "threshold before.", "Kirstein et al. Eq. 8"),
    },
    "stereology_curves": {
        "threshold": _c("share", "Least degree of liberation."),
        "value": _c("share", "Target in particles (sections) of at least that liberation / all; "
                    "the corrected curve is what sections say of the particles."),
    },
    "stereology_bias": {
        "sections": _c("", "The sections that are set against the particles."),
        "measure": _c("", "What the value is: the 3D result, the 2D one, or how they differ."),
        "value": _c("", "The quantity in 3D or 2D, their difference or their ratio."),
    },
    "stereology_kernel": {
        "grade_percent_3d": _c("%", "Class of the particle's share of target."),
        "grade_percent_2d": _c("%", "Class of a section's share of target."),
        "value": _c("share", "Probability that a section of a particle of the one class is in the "
                    "other: rows of one particle class sum to 1."),
        "n_particles": _c("", "Particles of the class."),
        "n_sections": _c("", "Sections of these particles."),
    },
    "stereology_weights": {
        "grade_percent_3d": _c("%", "Class of the particle's share of target."),
        "particles": _c("share", "Share of the particles, by number."),
        "sections": _c("share", "Share of the sections, by number: large particles are cut more "
                       "often."),
        "volume": _c("share", "Share of the particles' volume."),
        "area": _c("share", "Share of the sections' area."),
    },
    "stereology_distribution": {
        "curve": _c("", "2D apparent, or corrected to 3D."),
        "grade_percent": _c("%", "Class of the share of target."),
        "value": _c("share", "Share of particles or sections in the class."),
    },
    "label_sensitivity": {
        "value": _c("", "The quantity as measured."),
        "low": _c("", "Smallest of the values as measured and after each change."),
        "high": _c("", "Largest of them."),
        "particles_grown": _c("", "The quantity with every particle one voxel larger."),
        "particles_shrunk": _c("", "The quantity with every particle one voxel smaller."),
        "target_grown": _c("", "The quantity with the target one voxel larger."),
        "target_shrunk": _c("", "The quantity with the target one voxel smaller."),
        "random": _c("", "The quantity with every boundary moved at random, by one voxel at most."),
    },
    "descriptor_scores": {
        "part": _c("", "Sections that the networks were trained on, or that were held out."),
        "descriptor": _c("", "Column of the table of sections."),
        "unit": _c("", "Unit of MAE and BIAS."),
        "mae": _c("", "Mean absolute error.", "Kirstein et al. Table 2"),
        "bias": _c("", "Mean of predicted less true.", "Kirstein et al. Table 2"),
        "r2": _c("", "Coefficient of determination.", "Kirstein et al. Table 2"),
        "spearman": _c("", "Spearman's rank correlation.", "Kirstein et al. Table 2"),
        "n": _c("", "Pairs of sections in which both have a value."),
    },
    "liberation_classes": {
        "liberation_class": _c("", "Class of liberation in per cent; ] includes the edge, ) does "
                               "not; 0 % and 100 % are classes of their own."),
        "lower": _c("share", "Lower edge of the class."),
        "upper": _c("share", "Upper edge of the class."),
        "value": _c("share", f"Share of the target in particles of the class, {_SHARE}"),
    },
    "liberation_groups": {
        "group": _c("", "Locked, middlings or liberated, with the edges in per cent."),
        "value": _c("share", f"Share of the target in particles of the group, {_SHARE}"),
    },
    "size_by_liberation": {
        "target_share": _c("share", "Share of all target that is in particles of the size class."),
        "value": _c("share", "Mean liberation of the class, weighted by the particles' target.",
                    "Kirstein et al. Eq. 9"),
    },
    "size_distribution": {
        "value": _c("share", f"Share of particles in the size class, by the basis, {_SHARE}"),
    },
    "grain_size_distribution": {
        "value": _c("share", "Share of the phase's grains (6-connected pieces) in the size class, "
                    f"by the basis, {_SHARE}"),
    },
    "size_percentiles": {
        "of": _c("", "Particles, or grains of a phase."),
        "percentile": _c("", "D10, D50, D90: size that 10, 50, 90 % lie below; P80 is the same for "
                         "80 %, as mills are described.", "ISO 9276-2 (x_10, x_50, x_90)"),
        "value": _c("um", "Size at the percentile."),
    },
    "association": {
        "is_target": _c("", "Whether the row is of the target as a whole (or one of its phases)."),
        "value": _c("share", "Share of the phase's boundary that is against the partner; the "
                    "shares of one phase sum to 1."),
    },
    "locking": {
        "state": _c("", "Liberated: no other phase in the particle; binary: one other; ternary+: "
                    "two or more."),
        "value": _c("share", f"Share of the target in such particles, {_SHARE}"),
    },
    "locking_partners": {
        "value": _c("share", "Share of the target in particles that hold the partner; a particle "
                    "counts for each of its partners, so the shares need not sum to 1."),
    },
    "grade_recovery": {
        "recovery": _c("share", "Target in the concentrate / all target."),
        "value": _c("share", "Highest grade that a separation of these particles can have at this "
                    "recovery: particles go in by falling share of target."),
        "yield": _c("share", "Concentrate / all, at that point."),
        "yield_low": _c("share", "Lower end of the interval of yield.", _BOOTSTRAP),
        "yield_high": _c("share", "Upper end of the interval of yield.", _BOOTSTRAP),
    },
    "density_classes": {
        "lower_g_cm3": _c("g/cm^3", "Lower edge of the density class."),
        "upper_g_cm3": _c("g/cm^3", "Upper edge of the density class."),
        "value": _c("share", "The quantity (yield, target recovery, target grade) of the class."),
        "sink": _c("share", "The same of all particles of at least the class's lower edge."),
        "sink_low": _c("share", "Lower end of the interval of sink.", _BOOTSTRAP),
        "sink_high": _c("share", "Upper end of the interval of sink.", _BOOTSTRAP),
    },
    "volume_and_surface": {
        "volume_liberation": _c("share", "Of the particle, see the particle table."),
        "surface_liberation": _c("share", "Of the particle, see the particle table."),
        "surface_liberation_eroded": _c("share", "Of the particle, see the particle table."),
        "target": _c("um^3", "Volume (um^2: area, in 2D) of the target in the particle."),
    },
    "convergence": {
        "n_particles": _c("", "Particles drawn at random, the first so many of one order."),
        "value": _c("", "The quantity from these particles alone."),
    },
    "needed_particles": {
        "of": _c("", "Whether the precision is a share of the value, or in percentage points."),
        "precision": _c("share", "Half-width of the interval that is asked for."),
        "n_particles": _c("", "Particles there are."),
        "value": _c("", "Particles of the same kind that give this precision."),
    },
}  # fmt: skip
"""Further columns of each table, and where a column means something else than in `SHARED`."""


def definition(frame: str, column: str) -> ColumnDefinition | None:
    """Definition of a column of a table of results; None where there is none."""
    own = OF_FRAME.get(frame, {})
    return own.get(column, SHARED.get(column))


__all__ = ["OF_FRAME", "SHARED", "definition"]
