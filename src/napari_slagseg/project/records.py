"""Records of the steps: with what each was run, and from what."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from napari_slagseg.data import SlagsegError
from napari_slagseg.io import read_json, write_json


class StepRecord(BaseModel):
    """What is known of the last finished run of a step.

    Attributes
    ----------
    step : str
    config : dict
        The step's configuration, as JSON values.
    inputs : dict of str to str
        Fingerprint of everything the step read.
    started, seconds
        Time of the run.
    versions : dict of str to str
        Of this package and of the libraries that decide over results.
    summary : dict
        Numbers worth showing, JSON values.
    """

    model_config = ConfigDict(frozen=True)

    step: str
    config: dict[str, Any]
    inputs: dict[str, str]
    started: str
    seconds: float
    versions: dict[str, str] = Field(default_factory=dict)
    summary: dict[str, Any] = Field(default_factory=dict)


def read_record(path: Path) -> StepRecord | None:
    """Read a record; None where the step was never finished."""
    if not path.is_file():
        return None
    try:
        return StepRecord.model_validate(read_json(path, "a step's record"))
    except (SlagsegError, ValidationError) as error:
        why = "it cannot be read as JSON"
        if isinstance(error, ValidationError):
            why = error.errors()[0]["msg"]
        raise SlagsegError(
            f"{path} is damaged ({why}). "
            "Delete it: the step then counts as not done and can be run again."
        ) from error


def write_record(path: Path, record: StepRecord) -> None:
    """Write a record atomically."""
    write_json(path, record.model_dump(mode="json"))


__all__ = ["StepRecord", "read_record", "write_record"]
