"""Steps in a process of their own.

Training in a thread beside a window slows both, and a process keeps the memory
of a GPU until it ends; so the window starts each long step as a spawned process
and listens to it. The project on disk is all that they share.
"""

from __future__ import annotations

import multiprocessing
import queue
import time
import traceback
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Literal

from napari_slagseg.data import CancelledError, ProgressEvent, SlagsegError
from napari_slagseg.io import write_error

EXIT_WITHIN_S = 10.0
"""A process that has said its last is killed if it is not gone by then."""

KILL_AFTER_S = 8.0
"""A step that has not met its cancel token by then is killed."""


@dataclass(frozen=True)
class StepMessage:
    """What a running step says.

    Attributes
    ----------
    kind : {"progress", "done", "cancelled", "failed", "crashed"}
        `failed` is an error that the user can act on, `crashed` any other.
    text : str
        Message of a finished step, or the error's.
    event : ProgressEvent or None
    warnings : tuple of str
    """

    kind: Literal["progress", "done", "cancelled", "failed", "crashed"]
    text: str = ""
    event: ProgressEvent | None = None
    warnings: tuple[str, ...] = ()


def _work(
    folder: str,
    step_name: str,
    config: dict[str, Any] | None,
    parent: int,
    messages: Any,
    stop: Any,
    resources: dict[str, Any] | None = None,
) -> None:
    """Body of the child process."""
    try:
        from napari_slagseg.project import Project
        from napari_slagseg.workflow.blockwise.resources import Resources
        from napari_slagseg.workflow.pipeline import run_pipeline, step_named
        from napari_slagseg.workflow.step import make_config, run_step

        last = 0.0

        def tell(event: ProgressEvent) -> None:
            nonlocal last
            # a bar needs no more than 20 signs of life a second; values are never dropped
            if event.values or time.monotonic() - last > 0.05:
                last = time.monotonic()
                messages.put(StepMessage("progress", event=event))

        project = Project(folder, parent=parent)
        within = Resources(**(resources or {}))
        if step_name == "run":
            made_all = {n: make_config(step_named(n), v) for n, v in (config or {}).items()}
            results = run_pipeline(project, made_all, tell, stop, resources=within)
            text = " ".join(r.message for r in results.values()) or "Everything is up to date."
            warnings = tuple(w for r in results.values() for w in r.warnings)
        else:
            step = step_named(step_name)
            made = None if config is None else make_config(step, config)
            result = run_step(project, step, made, tell, stop, within)
            text, warnings = result.message, result.warnings
        messages.put(StepMessage("done", text, warnings=warnings))
    except CancelledError:
        messages.put(StepMessage("cancelled", "Cancelled; what was finished is kept."))
    except SlagsegError as error:
        messages.put(StepMessage("failed", str(error)))
    except OSError as error:
        where = Path(error.filename) if isinstance(error.filename, str) else Path(folder)
        messages.put(StepMessage("failed", str(write_error(where, error))))
    except BaseException as error:  # noqa: BLE001 - the parent must learn of everything
        if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
            text = "The step ran out of memory. Close other programs, crop, or use smaller patches."
            messages.put(StepMessage("failed", text))
        else:
            messages.put(StepMessage("crashed", traceback.format_exc()))


class StepProcess:
    """A step running in a spawned process.

    Parameters
    ----------
    folder : path
        The project.
    step_name : str
        As in `pipeline.STEPS`, or "run" for all that is not up to date.
    config : dict or None
        Values of the step's configuration; None takes those of its last run. For "run",
        such values by step.
    lock_holder : int
        Process that holds the project's lock for the child (this one, usually).
    resources : dict or None
        Values of `blockwise.Resources`.
    """

    def __init__(
        self,
        folder: str | Path,
        step_name: str,
        config: dict[str, Any] | None,
        lock_holder: int,
        resources: dict[str, Any] | None = None,
    ) -> None:
        context = multiprocessing.get_context("spawn")
        self._messages = context.Queue()
        self._stop = context.Event()
        self._cancelled_at: float | None = None
        self._ended = False
        self._heard = False
        self._last: StepMessage | None = None
        self._kill_at = 0.0
        self._process: BaseProcess = context.Process(
            target=_work,
            args=(
                str(folder),
                step_name,
                config,
                lock_holder,
                self._messages,
                self._stop,
                resources,
            ),
            daemon=True,
        )

    def start(self) -> None:
        """Start the process."""
        self._process.start()

    @property
    def pid(self) -> int | None:
        """Process id, once started."""
        return self._process.pid

    @property
    def ended(self) -> bool:
        """Whether the last message was handed out."""
        return self._ended

    def cancel(self) -> None:
        """Ask the step to stop; it is killed if it does not within `KILL_AFTER_S`.

        One that has not said anything yet has hardly begun, and is killed at once.
        """
        if self._cancelled_at is None:
            self._cancelled_at = time.monotonic()
            self._stop.set()
            if not self._heard and self._process.pid is not None:
                # still loading its libraries, which takes no heed of a token
                self._process.kill()

    def next_message(self, timeout: float = 0.1) -> StepMessage | None:
        """Next message, or None if there is none within `timeout` seconds.

        After a message other than "progress" the step has ended.
        """
        if self._ended:
            return None
        if self._last is not None:
            return self._hand_out_last(timeout)
        try:
            message: StepMessage = self._messages.get(timeout=timeout)
        except queue.Empty:
            return self._silence()
        return self._received(message, timeout)

    def _received(self, message: StepMessage, timeout: float) -> StepMessage | None:
        self._heard = True
        if message.kind == "progress":
            return message
        self._last, self._kill_at = message, time.monotonic() + EXIT_WITHIN_S
        return self._hand_out_last(timeout)

    def _hand_out_last(self, timeout: float) -> StepMessage | None:
        """Last message, once the process is gone: libraries take a while to let go."""
        self._process.join(timeout=timeout)
        if self._process.is_alive():
            if time.monotonic() < self._kill_at:
                return None
            self._process.kill()
            self._process.join()
        self._ended = True
        return self._last

    def _silence(self) -> StepMessage | None:
        if not self._process.is_alive():
            # the last message may still be on its way
            try:
                message: StepMessage = self._messages.get(timeout=0.5)
            except queue.Empty:
                code = self._process.exitcode
                self._ended = True
                if self._cancelled_at is not None:
                    return StepMessage("cancelled", "Cancelled; what was finished is kept.")
                return StepMessage(
                    "failed",
                    f"The step's process ended by itself (exit code {code}); the machine may "
                    "have run out of memory. What was finished is kept; run the step again.",
                )
            return self._received(message, 0.0)
        overdue = (
            self._cancelled_at is not None and time.monotonic() - self._cancelled_at > KILL_AFTER_S
        )
        if overdue:
            self._process.kill()
            self._process.join()
        return None


__all__ = ["KILL_AFTER_S", "StepMessage", "StepProcess"]
