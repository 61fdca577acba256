"""Numbers of cutouts in words."""

import pytest

from napari_slagseg.widgets.cutout_panel import shown_probability


@pytest.mark.parametrize(
    ("probability", "shown"),
    [
        (0.8999, "0.89"),
        (0.9, "0.90"),
        (0.4951, "0.49"),
        (0.5, "0.50"),
        (0.874, "0.87"),
        (1, "1.00"),
    ],
)
def test_a_probability_is_not_rounded_up_into_a_better_grade(probability, shown):
    assert shown_probability(probability) == shown
