"""What the long steps may use of the machine, chosen once for all pages of a viewer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from psygnal import Signal
from pydantic import ValidationError

from napari_slagseg.data import SlagsegError
from napari_slagseg.workflow.blockwise import Resources


@dataclass(frozen=True)
class Said:
    """What the fields say; empty and 0 mean automatic."""

    memory: str = ""
    workers: int = 0
    scheduler: str = ""


class ChosenResources:
    """Resources of one viewer, kept while it is open.

    Not part of a step's configuration: a step that was run with others is not out of date.

    Signals
    -------
    changed : ()
    """

    changed = Signal()

    def __init__(self) -> None:
        self.said = Said()

    def choose(self, **values: Any) -> None:
        """Set what some fields say."""
        said = replace(self.said, **values)
        if said != self.said:
            self.said = said
            self.changed.emit()

    def problems(self) -> dict[str, str]:
        """What is wrong, by field."""
        found = {}
        values = {"memory": self.said.memory.strip(), "scheduler": self.said.scheduler.strip()}
        for name, text in values.items():
            if not text:
                continue
            if name == "scheduler" and not _is_address(text):
                found[name] = (
                    f"'{text}' is no address of a scheduler. It looks like tcp://host:8786; "
                    "'slagseg cluster' prints that of its own."
                )
                continue
            try:
                Resources(**{name: text})  # type: ignore[arg-type]
            except ValidationError as error:
                first = error.errors()[0]
                own = first.get("ctx", {}).get("error")
                found[name] = str(own) if own is not None else f"'{text}': {first['msg']}."
        return found

    def checked(self) -> Resources:
        """The resources.

        Raises
        ------
        SlagsegError
            If a field says what cannot be understood.
        """
        problems = self.problems()
        if problems:
            raise SlagsegError(" ".join(problems.values()))
        return Resources(
            memory=self.said.memory.strip() or None,  # type: ignore[arg-type]
            workers=self.said.workers or None,
            scheduler=self.said.scheduler.strip() or None,
        )


def _is_address(text: str) -> bool:
    host, _, port = text.partition("://")[2].rpartition(":")
    return bool(host) and port.isdigit()


__all__ = ["ChosenResources", "Said"]
