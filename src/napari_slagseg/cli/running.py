"""Every command's frame: common options, Ctrl-C, and errors as paragraphs with exit codes."""

from __future__ import annotations

import errno
import signal
import tempfile
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import wraps
from pathlib import Path
from types import FrameType
from typing import Any

import click

from napari_slagseg.cli.console import Console
from napari_slagseg.data import CancelledError, CancelToken, SlagsegError

UNUSABLE_INPUT = 2
NOT_PLACED = 3
STOPPED = 130
PROGRAM_FAULT = 1

_KEPT = "Stopped; what was finished is kept. The same command goes on from there."


@contextmanager
def ctrl_c_cancels(console: Console) -> Iterator[CancelToken]:
    """Token that the first Ctrl-C sets; the second one stops at once."""
    token = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield token
        return

    def stop(number: int, frame: FrameType | None) -> None:
        if token.is_set():
            raise KeyboardInterrupt
        token.set()
        console.heading("Stopping as soon as the data allow it (Ctrl-C again: at once) ...")

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield token
    finally:
        signal.signal(signal.SIGINT, before)


def _operating_system_error(error: OSError) -> str:
    where = f"{error.filename}: " if error.filename else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return (
            f"{where}the disk is full. What was finished is kept; free some space and run the "
            "command again."
        )
    return f"{where}{error.strerror or error}. Check the path and its permissions."


def _write_log(values: dict[str, Any], text: str) -> Path | None:
    """Store a traceback in the project, if there is one, else in the temporary folder."""
    name = f"slagseg-error-{datetime.now():%Y%m%d-%H%M%S}.log"
    folders = [Path(tempfile.gettempdir())]
    project = values.get("project")
    if isinstance(project, Path) and (project / "project.json").is_file():
        folders.insert(0, project)
    for folder in folders:
        try:
            (folder / name).write_text(text, encoding="utf-8")
        except OSError:
            continue
        return folder / name
    return None


def _explain(error: BaseException, values: dict[str, Any]) -> tuple[str, int]:
    """Paragraph and exit code for an error."""
    if isinstance(error, (KeyboardInterrupt, CancelledError)):
        return _KEPT, STOPPED
    if isinstance(error, SlagsegError):
        return str(error), UNUSABLE_INPUT
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return (
            "The memory is not enough for this volume. Close other programs, crop the volume, "
            "or use smaller patches or tiles (--batch, --patch, --tile). What was finished is kept."
        ), UNUSABLE_INPUT
    if isinstance(error, OSError):
        return _operating_system_error(error), UNUSABLE_INPUT
    log = _write_log(values, "".join(traceback.format_exception(error)))
    kept = f"The details were written to {log}" if log else "--debug shows the details"
    return (
        f"The program failed: {type(error).__name__}: {error}. This is a fault of the program, "
        f"not of your data. {kept}; please send them with a report. What was finished is kept."
    ), PROGRAM_FAULT


def tell_ways_out(console: Console) -> None:
    """What helps a map that was refused, in terms of the options."""
    console.warn(
        "Three things help a refused map: a height window (--height LO HI, the CT slices between "
        "which its centre lies), three or more landmarks (--landmarks FILE, places that you see in "
        "both), or its mirror state (--mirror yes or no). If it belongs to another sample, "
        "nothing does."
    )


def report_fault(error: BaseException) -> int:
    """Tell of an error outside a command's frame; returns the exit code."""
    text, code = _explain(error, {})
    Console().fail(text)
    return code


def framed(function: Callable[..., int | None]) -> Callable[..., None]:
    """Give a command ``--json``, ``--quiet``, ``--debug`` and an end that a user understands.

    The function gets a `Console` first and the command's parameters by name; it
    returns an exit code, or None for 0.
    """

    @click.option(
        "--json",
        "as_json",
        is_flag=True,
        help="Result as JSON on stdout, progress as JSON lines on stderr.",
    )
    @click.option("-q", "--quiet", is_flag=True, help="Only warnings and errors.")
    @click.option("--debug", is_flag=True, help="Show the traceback of an error.")
    @wraps(function)
    def command(as_json: bool, quiet: bool, debug: bool, **values: Any) -> None:
        console = Console(as_json=as_json, quiet=quiet, debug=debug)
        try:
            with warnings.catch_warnings():
                if not debug:
                    # those of libraries are for their developers
                    warnings.simplefilter("ignore")
                code = function(console, **values)
        except (click.ClickException, click.exceptions.Exit, BrokenPipeError):
            raise
        except BaseException as error:
            if isinstance(error, (SystemExit, GeneratorExit)):
                raise
            if debug:
                console.end_progress()
                traceback.print_exception(error)
            text, code = _explain(error, values)
            console.fail(text) if code != STOPPED else console.heading(text)
        finally:
            console.end_progress()
        click.get_current_context().exit(code or 0)

    return command


__all__ = [
    "NOT_PLACED",
    "PROGRAM_FAULT",
    "STOPPED",
    "UNUSABLE_INPUT",
    "ctrl_c_cancels",
    "framed",
    "report_fault",
    "tell_ways_out",
]
