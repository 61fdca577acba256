import subprocess
import sys

import click
import pytest

from napari_slagseg.cli.entry import SECTIONS, commands
from napari_slagseg.workflow.configs import (
    AnnotateConfig,
    MeasureConfig,
    RegisterConfig,
    ReportConfig,
    SegmentConfig,
    TrainConfig,
)

NAMES = [name for section in SECTIONS.values() for name in section]

SAID_TOGETHER = ("height_low", "height_high", "field_rows", "field_columns", "start")
"""Fields of the placement that one option says together."""

OF_PROJECTS = [
    ("place", "maps"),
    ("place", "again"),
    ("predict", "phase_run"),
    ("predict", "particle_run"),
]
"""Fields that mean nothing without a project."""


def loaded(name: str) -> click.Command:
    command = commands.get_command(click.Context(commands), name)
    assert command is not None
    return command


def test_top_help_lists_every_command_in_the_order_of_the_work(slagseg):
    answer = slagseg("--help")
    assert answer.code == 0
    listed = [line.split()[0] for line in answer.out.splitlines() if line.startswith("  ")]
    assert [word for word in listed if word in NAMES] == NAMES
    assert "slagseg new slag --ct" in answer.out
    assert NAMES == [
        "demo", "phantom", "new", "register", "annotate", "train", "segment", "suspects",
        "edits", "teach", "measure", "report", "run", "plan", "status", "view", "place", "predict",
        "separate", "describe", "score", "cluster",
    ]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_summary_is_the_first_line_of_the_commands_help(name):
    (entry,) = [section[name] for section in SECTIONS.values() if name in section]
    assert loaded(name).help.split("\n\n")[0].replace("\n", " ") == entry.summary


@pytest.mark.parametrize("name", NAMES)
def test_every_command_has_the_common_options_and_help_for_each(name):
    options = [p for p in loaded(name).params if isinstance(p, click.Option)]
    flags = {flag for option in options for flag in option.opts}
    assert {"--json", "--quiet", "--debug"} <= flags
    assert [o.name for o in options if not o.help] == []


@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("register", RegisterConfig),
        ("place", RegisterConfig),
        ("annotate", AnnotateConfig),
        ("train", TrainConfig),
        ("segment", SegmentConfig),
        ("measure", MeasureConfig),
        ("report", ReportConfig),
        ("predict", SegmentConfig),
    ],
)
def test_every_field_of_a_config_is_an_option(name, config):
    options = {p.name: p for p in loaded(name).params if isinstance(p, click.Option)}
    if config is RegisterConfig:
        flags = {flag for option in options.values() for flag in option.opts}
        assert {"--height", "--field-size", "--from-here", "--landmarks"} <= flags
    for field, info in config.model_fields.items():
        if config is RegisterConfig and field in SAID_TOGETHER:
            assert field not in options
            continue
        if (name, field) in OF_PROJECTS:
            assert field not in options
            continue
        option = options[field]
        assert f"--{field.replace('_', '-')}" in option.opts
        assert option.help[1:].startswith(f"{info.description[1:]}.")
        if info.annotation is bool:
            assert f"--no-{field.replace('_', '-')}" in option.secondary_opts
        if info.default is not None and info.default != ():
            shown = info.default
            if info.annotation is bool:
                shown = "yes" if info.default else "no"
            assert option.help.endswith(f"[default: {shown}]")


def test_defaults_are_shown(slagseg):
    answer = slagseg("train", "--help")
    words = " ".join(answer.out.split())
    assert "Learning rate of Adam. [default: 0.0001]" in words
    assert "Also train on mirror images. [default: no]" in words
    assert "default: None" not in words


def test_presets_of_the_phantom_command_are_those_of_the_phantoms():
    from napari_slagseg.cli import samples
    from napari_slagseg.phantom import LEVELS, PRESETS

    assert tuple(PRESETS) == samples.PRESETS
    assert tuple(LEVELS) == samples.DEGRADATIONS


def modules_after(*arguments: str) -> set[str]:
    program = (
        "import sys\n"
        "from napari_slagseg.cli import main\n"
        "try:\n"
        f"    main({list(arguments)!r})\n"
        "except SystemExit as end:\n"
        "    assert not end.code\n"
        "print('MODULES', *sorted({name.split('.')[0] for name in sys.modules}))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return set(done.stdout.rsplit("MODULES", 1)[1].split())


def test_help_imports_nothing_slow():
    found = modules_after("--help")
    assert "click" in found
    assert not found & {"torch", "numba", "napari", "numpy", "pandas", "scipy", "zarr", "qtpy"}


@pytest.mark.parametrize("name", ["demo", "train", "suspects", "teach", "predict", "view"])
def test_help_of_a_command_imports_neither_torch_nor_numba_nor_napari(name):
    assert not modules_after(name, "--help") & {"torch", "numba", "napari", "qtpy", "matplotlib"}


def test_unknown_command_ends_with_2(slagseg):
    answer = slagseg("segmnt", "project")
    assert answer.code == 2
    assert "No such command" in answer.err


def test_version(slagseg):
    import napari_slagseg

    assert slagseg("--version").out.strip().endswith(napari_slagseg.__version__)
