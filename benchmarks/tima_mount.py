"""A real mineral map: phases, particles and liberation of a TIMA mount.

Reads the vendor's phase list and raster, finds the particles, describes them in 2D,
and prints area shares times densities beside the vendor's mass per cent. Densities
are not in the vendor's list; those of the commonest phases are given here from
handbooks, so only phases with a density are compared.

Run: python benchmarks/tima_mount.py [OUT]
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from napari_slagseg import io
from napari_slagseg.descriptors import describe_map
from napari_slagseg.ground_truth import label_map_particles
from napari_slagseg.liberation import liberation_curve
from napari_slagseg.liberation.figures import draw_figure, plot_liberation

SOURCE = Path(__file__).parents[2] / "shared/data/tima_particles_in_epoxy"
SAMPLE = "ERD_d6b974f1"
PIXEL_UM = 10.0

DENSITIES = {
    "Albite": 2.62, "Quartz": 2.65, "Orthoclase": 2.56, "Biotite": 3.09, "Muscovite": 2.82,
    "Calcite": 2.71, "Dolomite": 2.85, "Chlorite": 2.95, "Hornblende": 3.24, "Epidote": 3.45,
    "Clinochlore": 2.65, "Chamosite": 3.13, "Actinolite": 3.04, "Actinolite_Mg": 3.04,
    "Anorthite": 2.73, "Titanite": 3.48, "Apatite": 3.19, "Pyrite": 5.02, "Rutile": 4.25,
    "Oligoclase": 2.65, "Andesine": 2.67, "Labradorite": 2.69, "Diopside": 3.40,
}  # fmt: skip
"""g/cm3."""


def main() -> None:
    """Print the comparison and write the tables."""
    if not SOURCE.is_dir():
        print(f"skipped: {SOURCE} is not there")
        return
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else Path("scratch/tima")
    table = io.read_legend(SOURCE / f"{SAMPLE}_phases.json")
    mineral_map = io.read_mineral_map(
        SOURCE / f"{SAMPLE}_phases_u8.tif", table, PIXEL_UM, mask=SOURCE / f"{SAMPLE}_mask_u8.tif"
    )
    listed = io.read_json(SOURCE / f"{SAMPLE}_phases.json")["phases"]
    vendor = {entry["name"]: float(entry["vendor_mass_pct"]) for entry in listed.values()}
    particles = label_map_particles(mineral_map)
    counts = {p.name: int((mineral_map.phases == p.id).sum()) for p in table if p.id > 0}
    common = sorted(counts, key=lambda name: -counts[name])
    print(
        f"{int(particles.max()):,} particles of at least 12 pixels, "
        f"{mineral_map.unmatched_fraction:.2%} of the pixels unmatched"
    )
    known = [name for name in common if name in DENSITIES and counts[name]]
    mass = {name: counts[name] * DENSITIES[name] for name in known}
    whole, vendor_whole = sum(mass.values()), sum(vendor.get(name, 0.0) for name in known)
    print("\nphase                 area %   mass % (ours)   mass % (vendor)")
    area = sum(counts.values())
    for name in known[:12]:
        print(
            f"{name:20s} {100 * counts[name] / area:7.2f} {100 * mass[name] / whole:12.2f} "
            f"{100 * vendor.get(name, 0.0) / vendor_whole:16.2f}"
        )
    print("\nliberation (share of the phase in particles of at least so much of it)")
    curves = []
    for name in common[:3]:
        described = describe_map(mineral_map, table.with_target(name), particles)
        io.write_particle_table(
            described, out / f"particles_{name}.csv", provenance={"source": str(SOURCE)}
        )
        curve = liberation_curve(described.frame, label=name)
        curves.append(curve)
        at = np.array([0.2, 0.5, 0.8, 0.95])
        values = "  ".join(f"{t:.2f}: {v:.3f}" for t, v in zip(at, curve.at(at)))
        print(f"{name:20s} n = {curve.n_particles:5,}   {values}")
    figure = draw_figure(lambda axes: plot_liberation(curves, axes, "area liberation"))
    figure.savefig(out / "liberation.png", dpi=100)
    print(f"\ntables and figure: {out}")


if __name__ == "__main__":
    main()
