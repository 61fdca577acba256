"""The one gateway through which the window starts long work."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from qtpy.QtCore import QObject, QTimer, Signal

from napari_slagseg.data import ProgressEvent
from napari_slagseg.project import Project
from napari_slagseg.workflow import StepProcess

POLL_MS = 50
"""How often the window listens to the running step."""

MESSAGES_AT_ONCE = 50


class StepRunner(QObject):
    """Runs steps one after the other, each in a spawned process.

    Signals
    -------
    started : (str)
        Name of the step.
    progressed : (ProgressEvent)
    ended : (str, str, str, tuple)
        Name, outcome ("done", "cancelled", "failed", "crashed"), message, warnings.
    idle : ()
        Nothing more is to be run.
    """

    started = Signal(str)
    progressed = Signal(object)
    ended = Signal(str, str, str, tuple)
    idle = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._queue: list[tuple[str, dict[str, Any] | None]] = []
        self._resources: dict[str, Any] = {}
        self._project: Project | None = None
        self._process: StepProcess | None = None
        self._name = ""
        self._timer = QTimer(self)
        self._timer.setInterval(POLL_MS)
        self._timer.timeout.connect(self._listen)

    @property
    def busy(self) -> bool:
        """Whether a step is running."""
        return self._process is not None

    def start(
        self,
        project: Project,
        steps: Sequence[tuple[str, dict[str, Any] | None]],
        resources: Mapping[str, Any] | None = None,
    ) -> None:
        """Run steps in order; stops at the first that fails.

        Parameters
        ----------
        project : Project
        steps : sequence of (name, values of the configuration or None)
        resources : mapping or None
            Values of `blockwise.Resources`.
        """
        if self.busy:
            raise RuntimeError("a step is running already")
        self._project, self._queue = project, list(steps)
        self._resources = dict(resources or {})
        self._next()

    def cancel(self) -> None:
        """Stop the running step and forget those that wait."""
        self._queue.clear()
        if self._process is not None:
            self._process.cancel()

    def _next(self) -> None:
        if not self._queue or self._project is None:
            self.idle.emit()
            return
        self._name, config = self._queue.pop(0)
        self._process = StepProcess(
            self._project.folder, self._name, config, os.getpid(), self._resources
        )
        self._process.start()
        self._timer.start()
        self.started.emit(self._name)

    def _listen(self) -> None:
        for _ in range(MESSAGES_AT_ONCE):
            if self._process is None:
                return
            message = self._process.next_message(timeout=0)
            if message is None:
                return
            if message.kind == "progress":
                if isinstance(message.event, ProgressEvent):
                    self.progressed.emit(message.event)
                continue
            self._timer.stop()
            self._process = None
            if message.kind != "done":
                self._queue.clear()
            self.ended.emit(self._name, message.kind, message.text, message.warnings)
            self._next()


__all__ = ["StepRunner"]
