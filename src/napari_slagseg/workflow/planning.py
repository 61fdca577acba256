"""Plans of steps, made in a process of their own.

A probe loads the networks and compiles kernels: in a thread beside a window it would make
the window falter, and its memory would stay taken.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_slagseg.data import CancelledError, SlagsegError

if TYPE_CHECKING:
    from napari_slagseg.workflow.blockwise import StepPlan


def _work(folder: str, step: str, resources: dict[str, Any], answer: Any) -> None:
    """Body of the child process."""
    try:
        from napari_slagseg.project import Project
        from napari_slagseg.workflow.blockwise import Resources, plan_step

        answer.send(plan_step(Project(folder), step, Resources(**resources)))
    except (SlagsegError, OSError) as error:
        answer.send(SlagsegError(str(error)))
    except Exception as error:  # noqa: BLE001 - the parent must learn of everything
        answer.send(RuntimeError(f"{type(error).__name__}: {error}"))


class PlanProcess:
    """A plan that is being made in a spawned process.

    Parameters
    ----------
    folder : path
        The project; it is only read.
    step : {"segment", "suspects", "measure"}
    resources : mapping
        Values of `blockwise.Resources`.
    """

    def __init__(self, folder: str | Path, step: str, resources: Mapping[str, Any]) -> None:
        context = multiprocessing.get_context("spawn")
        self._answer, theirs = context.Pipe(duplex=False)
        self._killed = False
        self._process = context.Process(
            target=_work, args=(str(folder), step, dict(resources), theirs), daemon=True
        )
        self._process.start()
        # the other end must be open in the child alone, or its death goes unnoticed
        theirs.close()

    def kill(self) -> None:
        """End it; whoever waits gets `CancelledError`."""
        self._killed = True
        self._process.kill()

    def wait(self) -> StepPlan:
        """The plan, once it is made.

        Raises
        ------
        SlagsegError
            If the step cannot be planned, such as where the memory is not enough.
        CancelledError
            After `kill`.
        """
        try:
            found = self._answer.recv()
        except EOFError as error:
            self._process.join()
            if self._killed:
                raise CancelledError from error
            raise SlagsegError(
                f"The process that made the plan ended by itself (exit code "
                f"{self._process.exitcode}); the machine may have run out of memory. Close other "
                "programs and try again."
            ) from error
        self._process.join()
        if isinstance(found, Exception):
            raise found
        return found  # type: ignore[no-any-return]


__all__ = ["PlanProcess"]
