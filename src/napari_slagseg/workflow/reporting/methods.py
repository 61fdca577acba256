"""A methods paragraph: what was done, in sentences with numbers, ready for a paper."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from napari_slagseg.workflow.configs import ReportConfig
from napari_slagseg.workflow.reporting.bibliography import citation, entries, narrative

AXES = {0: "z", 1: "y", 2: "x"}


@dataclass
class Methods:
    """Text of the paragraph, and the references that it cites.

    Attributes
    ----------
    paragraphs : list of str
    references : list of str
    """

    paragraphs: list[str] = field(default_factory=list)
    references: list[str] = field(default_factory=list)


class _Writer:
    """Collects sentences, and which papers they cite."""

    def __init__(self) -> None:
        self.cited: set[str] = set()

    def cite(self, *keys: str) -> str:
        self.cited.update(keys)
        return citation(*keys)

    def name(self, key: str) -> str:
        self.cited.add(key)
        return narrative(key)


def methods_of(
    values: Mapping[str, Any], samples: Sequence[Mapping[str, Any]], config: ReportConfig
) -> Methods:
    """Write the paragraph from what the project recorded.

    Parameters
    ----------
    values : mapping
        As `provenance` returns it. Steps that were not run are not written of.
    samples : sequence of mapping
        For each sample of the statistics its ``label``, ``particles`` that took part,
        ``measured`` ones, ``at_border`` ones, ``dimension`` and ``target``.
    config : ReportConfig
    """
    writer = _Writer()
    steps = values["steps"]
    paragraphs = [
        _data(values, steps, writer),
        _networks(values, steps, writer),
        _descriptors(values, steps, writer),
        _statistics(samples, config, writer),
        _software(values),
    ]
    return Methods([p for p in paragraphs if p], entries(writer.cited))


def _data(values: Mapping[str, Any], steps: Mapping[str, Any], writer: _Writer) -> str:
    ct, maps = values["inputs"]["ct"], values["inputs"]["maps"]
    pixels = sorted({entry["pixel_size_um"] for entry in maps.values()})
    said = [
        f"The X-ray CT has {_times(ct['shape'])} voxels (z, y, x) of "
        f"{_edges(ct['voxel_size_um'])}; {_count(len(maps), 'mineral map')} from SEM-EDS "
        f"with pixels of {_list(pixels)} µm gave the phases."
    ]
    placed = steps.get("register", {}).get("summary", {}).get("maps", {})
    accepted = [m for m in placed.values() if m.get("placed")]
    if placed:
        cutouts = sum(m.get("accepted_cutouts", 0) for m in accepted)
        tried = sum(m.get("cutouts", 0) for m in accepted)
        said.append(
            f"{len(accepted)} of {len(placed)} maps were placed in the CT by registering "
            f"cutouts of them ({cutouts} of {tried} accepted) and a smooth surface through these "
            f"{writer.cite('kirstein')}."
        )
    if values["edits"]:
        said.append(f"{_count(len(values['edits']), 'change')} were made by hand (see provenance).")
    truth = steps.get("annotate", {}).get("summary", {})
    if truth:
        said.append(
            f"They give {truth['known_voxels']:,} voxels of known phase and particle, of which "
            f"{truth['held_out_voxels']:,} were held out for validation."
        )
    return " ".join(said)


def _networks(values: Mapping[str, Any], steps: Mapping[str, Any], writer: _Writer) -> str:
    said = []
    kinds = {"phase": "phases", "particle": "particles"}
    for kind, what in kinds.items():
        used = [n for n in values["networks"].get(kind, []) if "card" in n]
        for network in used[-1:]:
            card = network["card"]
            settings, training = card["settings"], card["training"]
            many = "" if len(used) == 1 else f" (the newest of {len(used)} that were averaged)"
            said.append(
                f"The network for the {what}{many} is a residual 3D U-Net of widths "
                f"{'-'.join(str(w) for w in card['widths'])}, trained for "
                f"{training.get('epochs', settings.get('epochs'))} epochs of "
                f"{settings.get('steps_per_epoch')} steps of {settings.get('batch')} patches of "
                f"{_patch(settings.get('patch'))} voxels with the weighted focal loss "
                f"(gamma = {settings.get('gamma'):g}) and Adam at a rate of "
                f"{settings.get('learning_rate'):g}."
            )
    if said:
        said[0] = said[0].replace(
            " is a residual 3D U-Net",
            f" is a residual 3D U-Net {writer.cite('kirstein', 'unet')}",
            1,
        )
        said[0] = said[0].replace(
            "weighted focal loss (", f"weighted focal loss {writer.cite('focal')} (", 1
        )
    record = steps.get("segment")
    if record:
        summary, config = record["summary"], record["config"]
        chosen = "" if config.get("threshold") is not None else ", chosen by the maps"
        said.append(
            f"Particles are the basins of a watershed from markers, the connected regions of "
            f"particle probability above {summary['threshold']:g}{chosen}; particles below "
            f"{config['minimum_voxels']} voxels were removed, {summary['particles']:,} remained."
        )
    return " ".join(said)


def _descriptors(values: Mapping[str, Any], steps: Mapping[str, Any], writer: _Writer) -> str:
    record = steps.get("measure")
    if not record:
        return ""
    config = record["config"]
    said = [
        f"Descriptors are those of {writer.name('kirstein')}: volumes and compositions are "
        "counts of voxels; surfaces and phase boundaries are weighted 2x2x2 voxel configurations "
        f"with 13 directions {writer.cite('schladitz', 'lehmann')}; perimeters in 2D follow "
        f"{writer.name('benkrid')}; sizes are diameters of balls (discs) of the same volume "
        f"(area). Terms of shape are 3D analogues of {writer.name('iso9276')}."
    ]
    if config.get("sections"):
        said.append(
            f"{config['sections']} virtual sections, {_directions(config)}, were measured as maps "
            "are."
        )
    if config.get("erosion_voxels"):
        said.append(
            "Surface liberation was measured a second time after each particle's rim, "
            f"{_count(config['erosion_voxels'], 'voxel')} deep, had been taken off."
        )
    return " ".join(said)


def _statistics(samples: Sequence[Mapping[str, Any]], config: ReportConfig, writer: _Writer) -> str:
    if not samples:
        return ""
    counts = "; ".join(
        f"{sample['label']}: N = {sample['particles']:,} of {sample['measured']:,}, "
        f"{sample['at_border']:,} at the border"
        for sample in samples
    )
    rule = {
        "exclude": "Particles that touch the border of the volume (or map) were left out.",
        "include": "Particles that touch the border of the volume (or map) were taken as whole.",
        "weighted": "Particles that touch the border of the volume (or map) were left out, and the "
        "others weighted by the inverse probability that the volume holds a particle of their "
        f"extent whole {writer.cite('miles', 'lantuejoul')}.",
    }[config.border_rule]
    said = [f"The target is {samples[0]['target']}. {rule} {counts}."]
    if config.min_size_um > 0 or config.max_size_um is not None:
        upper = "no limit" if config.max_size_um is None else f"{config.max_size_um:g} µm"
        said.append(
            f"Particles with equivalent diameters from {config.min_size_um:g} µm to {upper} took "
            "part."
        )
    if config.locked != "all":
        said.append(
            {
                "without": "Particles with target but none at their surface were left out.",
                "only": "Only particles with target and none at their surface took part.",
            }[config.locked]
        )
    if config.resamples:
        said.append(
            f"Intervals cover {config.level:.0%}; they are from {config.resamples:,} bootstrap "
            f"resamples of the particles, stratified by size (seed {config.seed}) "
            f"{writer.cite('efron')}. They hold the chance of which particles were in the volume, "
            "not errors of segmentation."
        )
    return " ".join(said)


def _software(values: Mapping[str, Any]) -> str:
    versions = dict(values["versions"])
    own = versions.pop("napari-slagseg", "")
    others = ", ".join(f"{name} {version}" for name, version in versions.items())
    return f"Computed with napari-slagseg {own} (Python {values['python']}; {others})."


def _directions(config: Mapping[str, Any]) -> str:
    """How the virtual sections lie."""
    way = config.get("section_directions", "axis")
    if way == "random":
        return f"in random directions (seed {config.get('section_seed', 0)})"
    if way == "normal":
        return f"normal to ({_list(config['section_normal'])}) in (z, y, x)"
    return f"evenly spaced and normal to {AXES[config['section_axis']]}"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _times(shape: Sequence[int]) -> str:
    return " × ".join(str(n) for n in shape)


def _edges(sizes: Sequence[float]) -> str:
    if len(set(sizes)) == 1:
        return f"{sizes[0]:g} µm edge"
    return f"{' × '.join(f'{s:g}' for s in sizes)} µm"


def _patch(patch: Any) -> str:
    edges = patch if isinstance(patch, (list, tuple)) else [patch] * 3
    return " × ".join(str(edge) for edge in edges)


def _list(values: Sequence[float]) -> str:
    return ", ".join(f"{value:g}" for value in values)


__all__ = ["Methods", "methods_of"]
