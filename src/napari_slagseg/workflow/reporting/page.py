"""The report as one HTML page that needs nothing beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from napari_slagseg.data import PhaseTable
from napari_slagseg.workflow.reporting.layout import Section
from napari_slagseg.workflow.reporting.methods import Methods
from napari_slagseg.workflow.reporting.printed import PrintedTable, printed, printed_pairs

TEMPLATE = "report.html.jinja"


@dataclass(frozen=True)
class PageContent:
    """What goes into the page.

    Attributes
    ----------
    title, subtitle : str
    tiles : sequence of (value, name)
        The few numbers on top.
    warnings : sequence of str
    sections : sequence of Section
        As `arranged` returns them.
    frames : mapping of name to DataFrame
    figures : mapping of plot name to ``data:`` URI
    agreement : sequence of (title, DataFrame)
    maps : DataFrame
        Placement of every map.
    table : PhaseTable
    colours : mapping of phase id to ``#rrggbb``
    methods : Methods
    provenance : mapping
    """

    title: str
    subtitle: str
    tiles: Sequence[tuple[str, str]]
    warnings: Sequence[str]
    sections: Sequence[Section]
    frames: Mapping[str, pd.DataFrame]
    figures: Mapping[str, str]
    agreement: Sequence[tuple[str, pd.DataFrame]]
    maps: pd.DataFrame
    table: PhaseTable
    colours: Mapping[int, str]
    methods: Methods
    provenance: Mapping[str, Any]


def page_of(content: PageContent) -> str:
    """Render the page.

    All text is escaped by the template: names of phases, maps and projects are foreign. The page
    holds no script, and its content policy lets a browser load nothing but what is in it.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("napari_slagseg.workflow.reporting", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    fixed = [("maps", "Maps and phases"), ("methods", "Methods"), ("provenance", "Provenance")]
    if content.agreement:
        fixed.insert(0, ("agreement", "Agreement with the maps"))
    return environment.get_template(TEMPLATE).render(
        title=content.title,
        subtitle=content.subtitle,
        tiles=content.tiles,
        warnings=content.warnings,
        fixed=fixed,
        sections=[_section(section, content) for section in content.sections],
        agreement=[(title, printed(title, frame)) for title, frame in content.agreement],
        maps=printed("maps", content.maps),
        phases=_phases(content),
        methods=content.methods,
        inputs=_inputs(content.provenance),
        records=_records(content.provenance),
    )


def caption(name: str) -> str:
    """``Volume liberation`` of ``volume_liberation``."""
    words = name.replace("_", " ").replace("-", " ")
    return words[:1].upper() + words[1:]


def _section(section: Section, content: PageContent) -> dict[str, Any]:
    return {
        "key": section.key,
        "title": section.title,
        "text": section.text,
        "figures": [
            {"source": content.figures[name], "caption": caption(name)}
            for name in section.plots
            if name in content.figures
        ],
        "tables": [
            (caption(name), printed(name, content.frames[name]))
            for name in section.frames
            if len(content.frames[name])
        ],
        "files": section.files,
    }


def _phases(content: PageContent) -> list[dict[str, str]]:
    return [
        {
            "name": phase.name,
            "symbol": phase.symbol,
            "formula": phase.formula,
            "density": "" if phase.density_g_cm3 is None else f"{phase.density_g_cm3:g}",
            "colour": content.colours[phase.id],
        }
        for phase in content.table
    ]


def _inputs(provenance: Mapping[str, Any]) -> list[tuple[str, PrintedTable]]:
    inputs = provenance["inputs"]
    files = [{"input": "CT", **inputs["ct"]}]
    files += [{"input": f"map {name}", **entry} for name, entry in inputs["maps"].items()]
    rows = [
        [
            entry["input"],
            entry["file"],
            " × ".join(map(str, entry["shape"])),
            _edges(entry.get("voxel_size_um", entry.get("pixel_size_um"))),
            entry["sha256"],
        ]
        for entry in files
    ]
    head = ["input", "file", "shape", "voxel or pixel (µm)", "SHA-256"]
    versions = [list(pair) for pair in printed_pairs(provenance["versions"])]
    return [
        ("Inputs", PrintedTable(head, rows, [False] * 5)),
        ("Versions", PrintedTable(["package", "version"], versions, [False] * 2)),
    ]


def _edges(size: Any) -> str:
    edges = size if isinstance(size, (list, tuple)) else [size]
    return " × ".join(f"{edge:g}" for edge in edges)


def _records(provenance: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Configurations of the steps, cards of the networks and edits, each to be opened."""
    found = [("Settings of this report", provenance["report"])]
    for name, step in provenance["steps"].items():
        kept = {key: step[key] for key in ("started", "seconds", "config", "inputs", "versions")}
        found.append((f"Step {name}", kept))
    for kind, networks in provenance["networks"].items():
        found += [(f"Network for {kind}s, {network['run']}", network) for network in networks]
    if provenance["edits"]:
        found.append((f"Edits ({len(provenance['edits'])})", provenance["edits"]))
    return [(name, json.dumps(value, indent=1, ensure_ascii=False)) for name, value in found]


__all__ = ["PageContent", "caption", "page_of"]
