"""The ground truth step says when Eq. 2's weights are far from balanced, and names the way out."""

import re

import pytest

from napari_slagseg.workflow import AnnotateConfig
from napari_slagseg.workflow.annotate import balance_warnings


@pytest.mark.parametrize(("foreground", "background"), [(100.0, 299.0), (299.0, 100.0)])
def test_alike_weights_need_no_word(foreground, background):
    weights = {"foreground": foreground, "background": background}
    assert balance_warnings(weights, AnnotateConfig(lambda_foreground=0.04)) == ()


@pytest.mark.parametrize("background", [7_455.0, 50.0])
def test_the_advised_weight_balances(background):
    voxels = 50_000
    config = AnnotateConfig(lambda_foreground=0.04)
    weights = {"foreground": voxels * 0.04, "background": background}
    (warning,) = balance_warnings(weights, config)
    advised = float(re.search(r"--lambda-foreground ([0-9.e+]+)", warning).group(1))
    assert voxels * advised == pytest.approx(background, rel=0.06)


def test_a_truth_without_one_of_the_two_is_left_to_the_other_warnings():
    config = AnnotateConfig(lambda_foreground=0.04)
    assert balance_warnings({"foreground": 0.0, "background": 5.0}, config) == ()
