"""Does a small network with a teacher come near its teacher, and beat one without?

On a phantom, with truth on flat cuts as well placed maps would give it: a wide network, a
narrow one trained alone, one trained alone with as many patches a step as the taught one sees,
and one taught by the wide one. Scored on every voxel of the phantom.

    python benchmarks/distillation.py --steps 200 --work FOLDER
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_slagseg.data import GroundTruth, PhaseTable, Volume, phase_table_of
from napari_slagseg.evaluation import score_particles, score_phases
from napari_slagseg.ground_truth import border_weight
from napari_slagseg.networks import (
    TrainingSettings,
    load_network,
    predict_volume,
    train_network,
)
from napari_slagseg.phantom import make_phantom
from napari_slagseg.segmentation import separate_particles
from napari_slagseg.workflow.marker_threshold import choose_threshold

TABLE: PhaseTable = phase_table_of(
    ["background", "LiAlO2", "eucryptite", "other phases"],
    ["#000000", "#d55e00", "#56b4e9", "#009e73"],
)
CUTS = (12, 36, 60)
HELD_OUT = (48,)


def truth_on(phases: NDArray[np.uint8], particles: NDArray[np.uint32], planes: tuple[int, ...]):
    """Ground truth of whole planes, with weights that balance particles and background."""
    known = np.zeros(phases.shape, bool)
    weights = np.zeros(phases.shape, np.float32)
    for z in planes:
        known[z] = True
        solid = particles[z] > 0
        ratio = np.count_nonzero(~solid) / max(1, np.count_nonzero(solid))
        near = border_weight(particles[z].astype(np.int32))
        weights[z] = np.where(solid, 0.013 * ratio, 0.013) + near
    voxels = np.flatnonzero(known)
    n = len(voxels)
    classes, numbers = phases.reshape(-1)[voxels], particles.reshape(-1)[voxels]
    return GroundTruth(
        shape=phases.shape,
        voxels=voxels,
        phases=classes.astype(np.int16),
        particles=numbers.astype(np.int32),
        foreground=(numbers > 0).astype(np.int8),
        phase_weights=np.ones(n, np.float32),
        particle_weights=weights.reshape(-1)[voxels],
        map_index=np.zeros(n, np.int16),
        cutout_index=np.zeros(n, np.int16),
        table=TABLE,
        map_names=("cuts",),
    )


def main(argv: list[str] | None = None) -> None:
    """Train, predict, score, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--teacher", default="small")
    parser.add_argument("--student", default="tiny")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, default=None)
    chosen = parser.parse_args(argv)

    phantom = make_phantom("sample", "easy", chosen.seed)
    box = (slice(36, 108), slice(40, 184), slice(40, 184))
    ct = Volume(np.ascontiguousarray(phantom.ct.data[box]), phantom.ct.voxel_size_um)
    phases = np.minimum(phantom.phases[box], 3)
    particles = phantom.particles[box] * (phases > 0)
    training = truth_on(phases, particles, CUTS)
    validation = truth_on(phases, particles, HELD_OUT)

    base = TrainingSettings(
        kind="phase",
        epochs=max(1, chosen.steps // 20),
        steps_per_epoch=20,
        batch=2,
        patch=(24, 48, 48),
        learning_rate=5e-3,
        decay=True,
        mirrors=True,
        grey_shift=2,
        device=chosen.device,
        threads=chosen.threads,
        seed=chosen.seed,
    )
    variants = {
        f"{chosen.teacher} (teacher)": (replace(base, size=chosen.teacher), None),
        f"{chosen.student} alone": (replace(base, size=chosen.student), None),
        f"{chosen.student} taught": (replace(base, size=chosen.student), "teacher"),
        f"{chosen.student} alone, twice the patches": (
            replace(base, size=chosen.student, batch=2 * base.batch),
            None,
        ),
    }
    for name, (settings, teacher) in variants.items():
        row: dict[str, object] = {"network": name, "seconds": 0.0}
        for kind in ("phase", "particle"):
            folder = chosen.work / name.replace(" ", "_") / kind
            first = chosen.work / f"{chosen.teacher}_(teacher)" / kind
            began = time.perf_counter()
            card = train_network(
                ct,
                training,
                validation,
                replace(settings, kind=kind),
                folder,
                teacher=None if teacher is None else first,
            )
            row["seconds"] += round(time.perf_counter() - began, 1)
            row[f"{kind} validation loss"] = round(card.scores["validation_loss"], 4)
        networks = {
            kind: load_network(chosen.work / name.replace(" ", "_") / kind)
            for kind in ("phase", "particle")
        }
        found = predict_volume(
            ct.data, **networks, halo=16, device=chosen.device, threads=chosen.threads
        )
        scores = score_phases(found.phases, phases)
        row["dice"], row["accuracy"] = round(scores["dice"], 4), round(scores["accuracy"], 4)
        row["iou"] = {TABLE.names[i]: round(v, 3) for i, v in scores["iou"].items() if i}
        choice = choose_threshold(found.phases, found.particle_probability, training)
        separated = separate_particles(
            found.phases, found.particle_probability, threshold=choice.threshold
        )
        of_particles = score_particles(separated.particles.astype(np.int64), particles)
        row["f1_match"] = round(of_particles["f1_match"], 4)
        row["f1_instance"] = round(of_particles["f1_instance"], 4)
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
