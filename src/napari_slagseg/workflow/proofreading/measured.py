"""What is known of the particle table on disk: its settings, its edits, its version."""

from __future__ import annotations

import numpy as np
import pandas as pd

from napari_slagseg import io
from napari_slagseg.data import SlagsegError
from napari_slagseg.project import Project
from napari_slagseg.project.edits import Entry, History
from napari_slagseg.workflow.configs import MeasureConfig
from napari_slagseg.workflow.proofreading.since import entries_since

EDITS = "edits"
"""Name, in the table's provenance and among the inputs of 'measure', of the edits' digest."""


def measured_with(project: Project) -> MeasureConfig:
    """Settings that the particle table was measured with.

    Raises
    ------
    SlagsegError
        If it was not measured, or an earlier segmentation was.
    """
    record = project.record("measure")
    if record is None:
        raise SlagsegError(f"Project {project.folder} was not measured yet. Run 'measure'.")
    if record.inputs.get("segmentation") != project.fingerprint(project.segmentation_path.name):
        raise SlagsegError(
            f"The particle table of project {project.folder} was measured on an earlier "
            "segmentation. Run 'measure' again."
        )
    return MeasureConfig.model_validate(record.config)


def edits_since_measured(project: Project, history: History, name: str) -> list[Entry] | None:
    """Actions that a table on disk does not know of, or knows of though they do not hold now.

    Parameters
    ----------
    project : Project
    history : History
    name : str
        Of the table: ``"particles"`` or ``"sections"``.

    Returns
    -------
    list of Entry or None
        None if the edits were never in the state that the table is of.
    """
    return entries_since(history, _digest(project, name))


def _digest(project: Project, name: str) -> str:
    """Of the edits that a table on disk knows of."""
    sidecar = io.read_json(project.tables / f"{name}.json", f"the definitions of the {name}")
    provenance = sidecar.get("provenance") or {}
    if EDITS in provenance:
        return str(provenance[EDITS])
    record = project.record("measure")
    return "" if record is None else record.inputs.get(EDITS, "")


def untouched_row(frame: pd.DataFrame, touched: set[int]) -> pd.DataFrame:
    """Row of a small particle that no edit touched; none where there is none."""
    frame = frame[~frame["label"].isin(touched)]
    inside = frame[~frame["touches_border"]]  # weights differ there only
    return (inside if len(inside) else frame).nsmallest(1, "n_voxels")


def check_same_version(was: pd.DataFrame, now: pd.DataFrame) -> None:
    """Refuse a table whose row this version of the program does not measure again as it is.

    Otherwise new rows would stand beside old ones that were counted differently.

    Parameters
    ----------
    was, now : DataFrame
        Row of an untouched particle, in the table and measured again.
    """
    for name in (c for c in was.columns if c in now):
        old, new = float(was.iloc[0][name]), float(now.iloc[0][name])
        if not np.isclose(old, new, rtol=1e-6, equal_nan=True):
            raise SlagsegError(
                f"The particle table was measured by another version of the program: {name} of "
                f"particle {int(was.iloc[0]['label'])} is {old:g} in it, and {new:g} if it is "
                "measured now. Run 'measure' again."
            )


__all__ = [
    "EDITS",
    "check_same_version",
    "edits_since_measured",
    "measured_with",
    "untouched_row",
]
