"""Options that are made of a configuration's fields."""

import click
import pytest
from click.testing import CliRunner

from napari_slagseg.cli.options import config_options
from napari_slagseg.workflow.configs import ReportConfig


@pytest.mark.parametrize(
    ("arguments", "target"),
    [
        ([], None),
        (["--target", "a"], ("a",)),
        (["--target", "a, b"], ("a", "b")),
        (["--target", "a", "--target", "b"], ("a", "b")),
    ],
)
def test_names_are_given_at_once_or_one_after_the_other(arguments, target):
    @click.command()
    @config_options(ReportConfig)
    def command(**values):
        assert values["target"] == target

    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 0, result.exception
