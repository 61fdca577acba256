"""The order of a report: which tables and figures stand under which heading."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Section:
    """One heading of the page.

    Attributes
    ----------
    key, title : str
    text : str
        What is shown, in a sentence or two.
    frames : tuple of str
        Names of the tables that are printed.
    plots : tuple of str
        Names of the plots, in order.
    files : tuple of str
        Names of the tables that are too long to print, and are in the folder ``tables`` only.
    """

    key: str
    title: str
    text: str
    frames: tuple[str, ...] = ()
    plots: tuple[str, ...] = ()
    files: tuple[str, ...] = ()


SECTIONS: tuple[Section, ...] = (
    Section(
        "summary",
        "Summary",
        "Numbers of the particles that took part, after the filter.",
        ("summary",),
    ),
    Section(
        "modal",
        "Modal mineralogy",
        "Share of each phase of all that has a phase, by volume (area, for sections) and by mass.",
        ("modal",),
        ("modal",),
    ),
    Section(
        "assay",
        "Calculated assay",
        "Mass share of each element from the formulas of the phases, and the share of each "
        "element that each phase carries.",
        ("assay", "element_distribution"),
        ("assay", "element_distribution"),
    ),
    Section(
        "liberation",
        "Liberation",
        "Share of the target in particles of at least each degree of liberation: by composition "
        "(volume liberation) and by free surface. Brackets: ] includes the edge, ) does not. How "
        "many particles each class has is in the tables.",
        ("liberation_groups", "liberation_classes"),
        (
            "volume_liberation",
            "surface_liberation",
            "surface_liberation_eroded",
            "liberation_groups",
            "liberation_classes",
            "volume_and_surface",
        ),
        ("liberation_curves", "liberation_steps", "volume_and_surface"),
    ),
    Section(
        "size",
        "Particle and grain sizes",
        "Distributions and percentiles by number, volume (area) and mass: D50 is the size that "
        "half lies below. Sizes are equivalent diameters; other sizes are in the table.",
        ("size_percentiles",),
        (
            "size_distribution",
            "size_passing",
            "size_passing_by_kind",
            "size_percentiles",
            "grain_size_distribution",
        ),
        ("size_percentiles", "size_distribution", "grain_size_distribution"),
    ),
    Section(
        "size-by-liberation",
        "Liberation by size",
        "Mean liberation of the target in each size class, weighted by the target's volume.",
        ("size_by_liberation",),
        ("size_by_liberation",),
    ),
    Section(
        "association",
        "Association",
        "Of the boundary of each phase, the share that each partner has; outside is epoxy, pores "
        "and other particles. Rows sum to 1.",
        ("association",),
        ("association", "association_of_all"),
    ),
    Section(
        "locking",
        "Locking",
        "Share of the target that is liberated, or locked with one phase (binary) or more "
        "(ternary+), by partner.",
        ("locking", "locking_partners"),
        ("locking",),
    ),
    Section(
        "grade-recovery",
        "Grade and recovery",
        "The best that any separation of these particles could do: recovery of the target "
        "against the grade of the concentrate, and the yield of density classes.",
        ("density_classes",),
        ("grade_recovery", "density_classes"),
        ("grade_recovery",),
    ),
    Section(
        "stereology",
        "Stereology",
        "What sections of these particles show against what the particles are, and what the maps "
        "say of particles once they are corrected by the kernel P(2D grade | 3D grade) of these "
        "very particles.",
        ("stereology_bias", "stereology_distribution", "stereology_weights"),
        (
            "stereology_volume_liberation",
            "stereology_surface_liberation",
            "stereology_bias",
            "stereology_kernel",
        ),
        ("stereology_curves", "stereology_kernel"),
    ),
    Section(
        "sensitivity",
        "If boundaries lay elsewhere",
        "Results as measured, and after every boundary was moved by one voxel: particles grown or "
        "shrunk, the target grown or shrunk inside them, or boundaries moved here and there. These "
        "are no confidence intervals: they say what a bias of one voxel everywhere would do.",
        ("label_sensitivity",),
    ),
    Section(
        "convergence",
        "Enough particles?",
        "How results settle as particles are added, how many particles a given precision needs "
        "(half-width of the interval, as a share of the value or in percentage points), and what "
        "difference it makes how particles at the border are counted.",
        ("needed_particles", "border_handling"),
        ("convergence", "needed_particles", "border_handling"),
        ("convergence",),
    ),
)

FURTHER = Section("further", "Further results", "")

LONGEST_TABLE = 60
"""Rows up to which a table that no section knows is printed."""


def arranged(
    frames: dict[str, int], plots: Iterable[str], tabs: dict[str, str] | None = None
) -> list[Section]:
    """Sections with only what there is, and one more for what no section knows.

    Parameters
    ----------
    frames : dict of table name to its number of rows
    plots : iterable of plot names
    tabs : dict of plot name to tab, optional
        A plot that no section names goes to the section whose key is its tab.
    """
    tabs = tabs or {}
    names = list(plots)
    known = {plot for section in SECTIONS for plot in section.plots}
    of_tab: dict[str, list[str]] = {}
    keys = {section.key for section in SECTIONS}
    for plot in names:
        if plot not in known and tabs.get(plot) in keys:
            of_tab.setdefault(tabs[plot], []).append(plot)
    found, used = [], set()
    for section in SECTIONS:
        kept = Section(
            section.key,
            section.title,
            section.text,
            tuple(name for name in section.frames if name in frames),
            (
                *(name for name in section.plots if name in names),
                *of_tab.get(section.key, []),
            ),
            tuple(name for name in section.files if name in frames),
        )
        if kept.frames or kept.plots or kept.files:
            found.append(kept)
        used |= {*kept.frames, *kept.plots, *kept.files}
    rest = [name for name in frames if name not in used]
    short = tuple(name for name in rest if frames[name] <= LONGEST_TABLE)
    further = Section(
        FURTHER.key,
        FURTHER.title,
        FURTHER.text,
        short,
        tuple(name for name in names if name not in used),
        tuple(name for name in rest if name not in short),
    )
    return [*found, further] if further.frames or further.plots or further.files else found


__all__ = ["FURTHER", "LONGEST_TABLE", "SECTIONS", "Section", "arranged"]
