"""What is said on the terminal: progress, notices and results."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from typing import Any

import click

from napari_slagseg.data import ProgressEvent

SECONDS_BETWEEN_EVENTS = 0.1
"""Events of one stage without numbers are passed on at most this often."""


class Console:
    """Speaks to a person or, with ``--json``, to a program.

    A person gets results on stdout; progress and notices on stderr: a bar on a
    terminal, otherwise one line a stage. A program gets one JSON object on
    stdout and events as JSON lines on stderr.

    Parameters
    ----------
    as_json, quiet, debug : bool
        The options of the same names.
    """

    def __init__(self, *, as_json: bool = False, quiet: bool = False, debug: bool = False) -> None:
        self.as_json = as_json
        self.quiet = quiet
        self.debug = debug
        self._bar: Any = None
        self._stage = ""
        self._told: set[str] = set()
        self._last = 0.0
        self._announced = ""

    # -- progress ------------------------------------------------------------

    def progress(self, event: ProgressEvent) -> None:
        """Listener for the steps."""
        if self.quiet:
            return
        new_stage = event.stage != self._stage
        now = time.monotonic()
        if not (new_stage or event.values or now - self._last >= SECONDS_BETWEEN_EVENTS):
            return
        self._say_announced()
        self._stage, self._last = event.stage, now
        if self.as_json:
            self._event(
                "progress", stage=event.stage, fraction=event.fraction, values=dict(event.values)
            )
        elif sys.stderr.isatty():
            self._move_bar(event)
        elif event.stage not in self._told:
            # stages that take turns, as with every tile, are told once
            self._told.add(event.stage)
            click.echo(f"  {event.stage}", err=True)

    def _move_bar(self, event: ProgressEvent) -> None:
        if self._bar is None:
            from tqdm import tqdm

            self._bar = tqdm(
                total=100.0,
                file=sys.stderr,
                leave=False,
                dynamic_ncols=True,
                bar_format="{desc} {percentage:3.0f}% |{bar}| {elapsed}{postfix}",
            )
        self._bar.set_description_str(event.stage, refresh=False)
        numbers = {
            name: value
            for name, value in event.values.items()
            if isinstance(value, (int, float)) and not isinstance(value, bool)
        }
        if numbers:
            self._bar.set_postfix(numbers, refresh=False)
        if event.fraction is not None:
            self._bar.update(100.0 * event.fraction - self._bar.n)
        self._bar.refresh()

    def end_progress(self) -> None:
        """Take the bar away; called before anything else is written."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None
        self._stage = ""

    # -- words -----------------------------------------------------------------

    def _event(self, kind: str, **values: Any) -> None:
        from napari_slagseg.io import to_json

        line = json.loads(to_json({"event": kind, **values}))
        click.echo(json.dumps(line, ensure_ascii=False), err=True)

    def heading(self, text: str) -> None:
        """Announce a part of a longer job."""
        self.end_progress()
        self._told.clear()
        if self.as_json:
            self._event("heading", text=text)
        elif not self.quiet:
            click.echo(text, err=True)

    def announce(self, text: str) -> None:
        """Heading for work that may not even begin: written with its first sign of life."""
        self._announced = text

    def _say_announced(self) -> None:
        if self._announced:
            text, self._announced = self._announced, ""
            self.heading(text)

    def warn(self, text: str) -> None:
        """Tell what a user should look at."""
        self._say_announced()
        self.end_progress()
        if self.as_json:
            self._event("warning", text=text)
        else:
            click.echo(f"Note: {text}", err=True)

    def fail(self, text: str) -> None:
        """Tell an error, as one paragraph."""
        self.end_progress()
        paragraph = " ".join(text.split())
        if self.as_json:
            self._event("error", text=paragraph)
        else:
            click.echo(f"Error: {paragraph}", err=True)

    def result(self, values: Mapping[str, Any], text: str) -> None:
        """Hand over what a command found: `values` to a program, `text` to a person."""
        self._say_announced()
        self.end_progress()
        if self.as_json:
            from napari_slagseg.io import to_json

            click.echo(to_json(dict(values)), nl=False)
        elif not self.quiet:
            click.echo(text)


__all__ = ["Console"]
