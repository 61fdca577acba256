"""``slagseg``: the commands in the order of the work, each loaded when it is called.

Asking for help must not wait for numba, torch or napari, so this file knows only
names and one-liners; a test compares them with the commands' own help.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import NoReturn

import click

import napari_slagseg

_EXAMPLE = """\b
Example:
  slagseg new slag --ct ct.tif --voxel-size 5 --map map_1.png --map map_2.png \\
      --legend legend.csv --pixel-size 1 --target LiAlO2
  slagseg run slag
  slagseg view slag

\b
Exit codes: 0 done; 2 something handed in cannot be used (the message says what);
3 a map could not be placed; 4 some edits do not fit another segmentation;
130 stopped with Ctrl-C; 1 a fault of the program.
"""


@dataclass(frozen=True)
class Entry:
    """Where a command is and what it is for."""

    module: str
    summary: str


SECTIONS: dict[str, dict[str, Entry]] = {
    "Try it": {
        "demo": Entry("samples", "Run the whole job on a made-up sample and score it."),
        "phantom": Entry("samples", "Make a sample with exactly known truth."),
    },
    "A project, in the order of the work": {
        "new": Entry("projects", "Make a project from a CT, mineral maps and a legend."),
        "register": Entry("steps", "Place the mineral maps in the CT."),
        "annotate": Entry("steps", "Turn the placed maps into sparse ground truth."),
        "train": Entry("steps", "Train the phase and the particle network."),
        "segment": Entry("steps", "Predict phases and particles everywhere."),
        "suspects": Entry("suspects", "List what is likeliest to be wrong in the segmentation."),
        "edits": Entry("edits", "List what was changed by hand, or write it to files."),
        "teach": Entry(
            "teach", "Train the particle network on hand edits and propose a new segmentation."
        ),
        "measure": Entry("steps", "Measure every particle and the sections."),
        "report": Entry("steps", "Draw the liberation curves and write the report."),
        "run": Entry("steps", "Run every step that is not up to date."),
        "plan": Entry("plan", "Tell what the long steps will take, before they are run."),
        "status": Entry("projects", "Show which steps are up to date."),
        "view": Entry("projects", "Open a project in napari."),
    },
    "Single steps on plain files": {
        "place": Entry("plain_files", "Place one mineral map, or a grey image of a cut, in a CT."),
        "predict": Entry("plain_files", "Segment a CT with trained networks."),
        "separate": Entry(
            "plain_files", "Separate touching particles by predictions of any network."
        ),
        "describe": Entry("plain_files", "Measure labelled particles."),
        "score": Entry("plain_files", "Score a segmentation against the truth."),
    },
    "Many workers": {
        "cluster": Entry("cluster", "Start a dask scheduler and workers on this machine."),
    },
}
"""Commands by section, as ``--help`` lists them."""


class LateGroup(click.Group):
    """A group that imports a command's module when the command is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, in the order of the work."""
        return [name for section in SECTIONS.values() for name in section]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, imported now."""
        for section in SECTIONS.values():
            if cmd_name in section:
                module = import_module(f"napari_slagseg.cli.{section[cmd_name].module}")
                command = getattr(module, cmd_name)
                if not isinstance(command, click.Command):
                    raise TypeError(f"{module.__name__}.{cmd_name} is no command")
                return command
        return None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the sections."""
        width = max(len(name) for name in self.list_commands(ctx))
        for title, entries in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name.ljust(width), e.summary) for name, e in entries.items()])


@click.group(
    cls=LateGroup,
    epilog=_EXAMPLE,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(napari_slagseg.__version__, package_name="napari-slagseg")
def commands() -> None:
    """Particles, minerals and their liberation in 3D, from a CT and SEM-EDS maps.

    A project is a folder. Its steps can be run one by one or all together with
    'run'; what is up to date is not done twice, and a stopped step goes on where
    it stopped. 'slagseg COMMAND --help' explains every option.
    """


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run ``slagseg`` and end the process with its exit code.

    Parameters
    ----------
    arguments : sequence of str, optional
        By default those of the process.
    """
    try:
        code = commands.main(
            None if arguments is None else list(arguments),
            prog_name="slagseg",
            standalone_mode=False,
        )
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("Stopped.", err=True)
        code = 130
    except BrokenPipeError:
        # whoever read our output has gone; nothing more can be said there
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    except Exception as error:  # noqa: BLE001 - a command that cannot even be loaded
        from napari_slagseg.cli.running import report_fault

        code = report_fault(error)
    sys.exit(code if isinstance(code, int) else 0)


__all__ = ["SECTIONS", "commands", "main"]
