"""Pictures of particles: balls, whose depth, direction and colour are known everywhere."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from napari_slagseg.liberation.line_ups import (
    NO_PHASE,
    ParticlePicture,
    draw_line_up,
    first_hits,
    line_up_places,
    render_particle,
    round_length,
)

RED, BLUE = (213, 94, 0), (0, 114, 178)


def ball(radius, size=(1.0, 1.0, 1.0)):
    """Ball in the middle of its box, with the places of its voxels in um from its centre."""
    counts = [2 * int(np.ceil(radius / s)) + 3 for s in size]
    zyx = [(np.arange(n) - n // 2) * s for n, s in zip(counts, size)]
    z, y, x = np.meshgrid(*zyx, indexing="ij")
    return z**2 + y**2 + x**2 <= radius**2, (z, y, x)


@pytest.mark.parametrize("size", [(1.0, 1.0, 1.0), (2.0, 1.0, 1.0), (1.0, 1.5, 0.75)])
def test_the_first_voxels_of_a_ball_are_its_cap(size):
    radius = 20.0
    inside, (_, y, x) = ball(radius, size)
    hit, normals = first_hits(inside, size)
    met = hit >= 0
    assert met.sum() * size[1] * size[2] == pytest.approx(np.pi * radius**2, rel=0.01)
    y, x = y[0], x[0]
    height = -np.sqrt(np.maximum(radius**2 - y**2 - x**2, 0))
    found = (hit - inside.shape[0] // 2) * size[0]
    # the first voxel centre behind the cap
    assert np.all(found[met] - height[met] >= -1e-9)
    assert np.all(found[met] - height[met] < size[0] + 1e-9)
    assert not normals[~met].any()
    assert np.allclose(np.linalg.norm(normals[met], axis=-1), 1, atol=1e-5)
    true = np.stack([height, y, x], axis=-1)[met] / radius
    angle = np.degrees(np.arccos(np.clip((normals[met] * true).sum(-1), -1, 1)))
    assert np.median(angle) < 5
    assert np.percentile(angle, 95) < 15


def test_only_the_phase_in_front_is_seen():
    inside, (z, _, x) = ball(12.0)
    colours = {1: RED, 2: BLUE}
    behind = render_particle(inside, np.where(z < 0, 1, 2), (1, 1, 1), colours)
    met = behind[..., 3] == 255
    assert np.array_equal(met, inside.any(axis=0))
    assert np.all(behind[~met] == 0)
    # at the equator z is 0, which is the other phase's
    edge = (inside & (z < 0)).any(axis=0)
    ratio = behind[edge][:, :2].astype(float)
    assert ratio[:, 1] / ratio[:, 0] == pytest.approx(RED[1] / RED[0], abs=0.02)
    sides = render_particle(inside, np.where(x < 0, 1, 2), (1, 1, 1), colours)
    left = met & (x[0] < 0)
    assert np.all(sides[left][:, 0] > sides[left][:, 2])
    assert np.all(sides[met & ~left][:, 2] > sides[met & ~left][:, 0])
    # the middle column, where x is 0, lies on the right
    assert 2 * left.sum() + met[:, met.shape[1] // 2].sum() == met.sum()


@pytest.mark.parametrize("enlarge", [2, 4])
def test_enlarged_pictures_keep_size_and_phases_and_lose_their_steps(enlarge):
    inside, (_, _, x) = ball(10.0)
    phases = np.where(x < 0, 1, 2)
    fine = render_particle(inside, phases, (1, 1, 1), {1: RED, 2: BLUE}, enlarge)
    assert fine.shape == (inside.shape[1] * enlarge, inside.shape[2] * enlarge, 4)
    seen = fine[..., 3] == 255
    assert seen.sum() / enlarge**2 == pytest.approx(np.pi * 10**2, rel=0.02)
    # everything that is seen lies half a voxel from the circle at most
    at = (np.indices(seen.shape) + 0.5) / enlarge - 0.5 - inside.shape[1] // 2
    far = np.hypot(*at)
    assert far[seen].max() < 10.75
    assert far[~seen].min() > 9.5
    red = seen & (fine[..., 0] > fine[..., 2])
    # at the rim the border of the phases may bend by half a voxel
    sure = np.abs(at[1] + 0.5) > 0.5
    assert np.array_equal(red[sure], (seen & (at[1] < -0.5))[sure])


def test_the_light_comes_from_the_upper_left():
    inside, _ = ball(15.0)
    picture = render_particle(inside, inside.astype(int), (1, 1, 1), {1: (200, 200, 200)})
    grey = picture[..., 0].astype(int)
    middle = inside.shape[1] // 2
    off = 7
    assert (
        grey[middle - off, middle - off] > grey[middle, middle] > grey[middle + off, middle + off]
    )
    assert grey.max() <= 200
    assert grey[picture[..., 3] > 0].min() > 0.2 * 200


def test_a_phase_without_a_colour_is_grey_and_nothing_is_clear():
    one = np.ones((1, 1, 1), bool)
    assert render_particle(one, np.full((1, 1, 1), 9), (1, 1, 1), {})[0, 0, 3] == 255
    red, green, blue, _ = render_particle(one, np.full((1, 1, 1), 9), (1, 1, 1), {})[0, 0]
    assert red == green == blue <= NO_PHASE[0]
    assert not render_particle(~one, one.astype(int), (1, 1, 1), {}).any()
    with pytest.raises(ValueError, match="phases"):
        render_particle(one, np.ones((2, 1, 1), int), (1, 1, 1), {})


@pytest.mark.parametrize(
    ("upper", "length"), [(1, 1), (4.9, 2), (5, 5), (99, 50), (100, 100), (0.3, 0.2), (2000, 2000)]
)
def test_scale_bars_have_round_lengths(upper, length):
    assert round_length(upper) == pytest.approx(length)


def test_a_sheet_shows_all_particles_at_one_scale():
    pictures = []
    for label, radius in ((1, 10.0), (2, 5.0), (3, 20.0)):
        inside, _ = ball(radius)
        rgba = render_particle(inside, inside.astype(int), (1, 1, 1), {1: RED})
        pictures.append(ParticlePicture(label, rgba, (1.0, 1.0), f"{label}"))
    figure = Figure(figsize=(6, 4))
    draw_line_up(figure, pictures, columns=3, legend=[("ore", RED)])
    axes, foot = figure.axes
    widths = [abs(i.get_extent()[1] - i.get_extent()[0]) for i in axes.images]
    assert widths == pytest.approx([p.size_um[1] for p in pictures])
    assert [t.get_text() for t in axes.texts] == ["1", "2", "3"]
    # 43 um is the widest: a bar of 20 um, as long on the paper as 20 um of a particle
    (bar,) = foot.patches
    figure.draw_without_rendering()
    on_paper = bar.get_window_extent().width
    a, b = axes.transData.transform([[0, 0], [20, 0]])
    assert on_paper == pytest.approx(b[0] - a[0], rel=0.01)
    assert foot.texts[0].get_text() == "20 µm"


def test_particles_stand_in_columns_and_rows_without_touching():
    sizes = [(2.0, 4.0), (6.0, 1.0), (1.0, 2.0)]
    centres, sheet = line_up_places(sizes, 2, gap=1.0, caption=0.5)
    # columns of 4 + 1 and 1 + 1; rows of 6 + 1 and 1 + 1, with 0.5 below each
    assert centres == [(3.5, 2.5), (3.5, 6.0), (8.5, 2.5)]
    assert sheet == (10.0, 7.0)
    assert line_up_places([], 3, gap=1.0, caption=1.0)[0] == []


def test_an_empty_sheet_can_be_drawn():
    figure = Figure()
    draw_line_up(figure, [])
    figure.draw_without_rendering()
