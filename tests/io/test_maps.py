from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image
from skimage.color import deltaE_cie76, rgb2lab

from napari_slagseg.data import MineralMap, Phase, PhaseTable, SlagsegError
from napari_slagseg.io import (
    match_colours,
    read_legend,
    read_mineral_map,
    write_false_colour,
    write_raster,
    write_volume,
    write_zarr_arrays,
)


@pytest.fixture
def phases() -> np.ndarray:
    """(6, 9): every phase of the table, in blocks of three columns."""
    return np.repeat(np.array([[0, 1, 2], [3, 3, 1]], np.int16), 3, axis=1).repeat(3, axis=0)


def colours(phases: np.ndarray, table: PhaseTable) -> np.ndarray:
    lut = np.zeros((max(table.ids) + 1, 3), np.uint8)
    for phase in table:
        lut[phase.id] = phase.rgb
    return lut[phases]


@pytest.mark.parametrize("name", ["m.png", "m.tif", "m.bmp", "planar.tif", "deep.tif"])
def test_false_colour(tmp_path: Path, table: PhaseTable, phases, name: str) -> None:
    image = colours(phases, table)
    path = tmp_path / name
    if name == "planar.tif":
        planes = np.moveaxis(image, -1, 0)
        tifffile.imwrite(path, planes, photometric="rgb", planarconfig="separate")
    elif name == "deep.tif":
        tifffile.imwrite(path, image.astype(np.uint16) * 257, photometric="rgb")
    elif name == "m.tif":
        tifffile.imwrite(path, image, photometric="rgb", compression="lzw")
    else:
        Image.fromarray(image).save(path)
    mineral_map = read_mineral_map(path, table, 1.5)
    np.testing.assert_array_equal(mineral_map.phases, phases)
    assert mineral_map.phases.dtype == np.int16
    assert mineral_map.unmatched_fraction == 0
    assert mineral_map.pixel_size_um == 1.5
    assert mineral_map.name == path.stem
    assert mineral_map.source == str(path)


@pytest.mark.parametrize("name", ["m.png", "m.tif", "m.npy", "m.zarr/phases", "m16.png"])
def test_raster(tmp_path: Path, table: PhaseTable, phases, name: str) -> None:
    path = tmp_path / name
    if name == "m.zarr/phases":
        write_zarr_arrays(tmp_path / "m.zarr", {"phases": phases, "other": phases})
    elif name == "m.npy":
        np.save(path, phases.astype(float))
    elif name == "m.tif":
        tifffile.imwrite(path, phases.astype(np.int32))
    else:
        Image.fromarray(phases.astype(np.uint16 if "16" in name else np.uint8)).save(path)
    mineral_map = read_mineral_map(path, table, 1.5, name="section A")
    np.testing.assert_array_equal(mineral_map.phases, phases)
    assert mineral_map.name == "section A"


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_palette_is_looked_up(tmp_path: Path, table: PhaseTable, phases, suffix: str) -> None:
    """The indices are turned round, so that taken as ids they would be wrong."""
    turned = (3 - phases).astype(np.uint8)
    palette = np.array([table.by_id(3 - i).rgb for i in range(4)], np.uint8)
    path = tmp_path / f"m.{suffix}"
    if suffix == "png":
        image = Image.fromarray(turned, mode="P")
        image.putpalette(palette.ravel().tolist())
        image.save(path)
    else:
        table16 = np.zeros((3, 256), np.uint16)
        table16[:, :4] = palette.T.astype(np.uint16) * 257
        tifffile.imwrite(path, turned, photometric="palette", colormap=table16)
    np.testing.assert_array_equal(read_mineral_map(path, table, 1).phases, phases)


def test_transparent_is_unknown_and_not_unmatched(tmp_path: Path, table, phases) -> None:
    image = np.dstack([colours(phases, table), np.full(phases.shape, 255, np.uint8)])
    image[0, 0] = (255, 255, 255, 0)
    image[0, 1, 3] = 200
    path = tmp_path / "m.png"
    Image.fromarray(image).save(path)
    mineral_map = read_mineral_map(path, table, 1)
    expected = phases.copy()
    expected[0, 0] = -1
    np.testing.assert_array_equal(mineral_map.phases, expected)
    assert mineral_map.unmatched_fraction == 0
    image[..., 3] = 0
    Image.fromarray(image).save(path)
    with pytest.raises(SlagsegError, match="Nothing is known in"):
        read_mineral_map(path, table, 1)


@pytest.mark.parametrize("pixels_a_block", [120, 1 << 22])
def test_near_colours_match_within_the_tolerance(
    table: PhaseTable, monkeypatch: pytest.MonkeyPatch, pixels_a_block: int
) -> None:
    """Against scikit-image's own colour difference, over a cloud of colours."""
    monkeypatch.setattr("napari_slagseg.io.colours._BLOCK_PIXELS", pixels_a_block)
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (40, 50, 3), dtype=np.uint8)
    legend = np.array([phase.rgb for phase in table], np.uint8)
    # half of the colours close to one of the legend
    near = legend[rng.integers(0, 4, (40, 25))].astype(int) + rng.integers(-25, 26, (40, 25, 3))
    image[:, :25] = near.clip(0, 255)
    distance = np.stack([deltaE_cie76(rgb2lab(image), rgb2lab(c[None, None])) for c in legend], -1)
    for tolerance in (3.0, 12.0, 40.0):
        expected = np.where(distance.min(-1) <= tolerance, distance.argmin(-1), -1)
        found, unmatched = match_colours(image, table, tolerance)
        assert 0 < np.mean(expected >= 0) < 1
        np.testing.assert_array_equal(found, expected)
        assert sum(n for _, n in unmatched) == np.count_nonzero(expected == -1)


def test_exact_colour_wins_over_a_nearer_rule() -> None:
    """Two legend colours closer than the tolerance each keep their own pixels."""
    table = PhaseTable(
        (Phase(0, "background", "#000000"), Phase(1, "a", "#804020"), Phase(2, "b", "#814020"))
    )
    image = np.array([[[0x80, 0x40, 0x20], [0x81, 0x40, 0x20]]], np.uint8)
    assert match_colours(image, table)[0].tolist() == [[1, 2]]


def test_jpeg(tmp_path: Path, table: PhaseTable) -> None:
    phases = np.zeros((96, 96), np.int16)
    phases[8:88, 8:48], phases[8:88, 48:88] = 1, 2
    Image.fromarray(colours(phases, table)).save(tmp_path / "m.jpg", quality=90, subsampling=0)
    mineral_map = read_mineral_map(tmp_path / "m.jpg", table, 1)
    wrong = (mineral_map.phases != phases) & (mineral_map.phases >= 0)
    assert np.mean(mineral_map.phases == phases) > 0.97
    assert np.mean(wrong) < 0.01


def test_unmatched_share_is_reported(tmp_path: Path, table: PhaseTable, phases) -> None:
    image = colours(phases, table)
    image[0, :3] = (255, 0, 255)
    Image.fromarray(image).save(tmp_path / "m.png")
    mineral_map = read_mineral_map(tmp_path / "m.png", table, 1)
    assert mineral_map.unmatched_fraction == pytest.approx(3 / 54)
    assert (mineral_map.phases[0, :3] == -1).all()
    raster = phases.copy()
    raster[0, :3] = 99
    raster[0, 3] = -1
    np.save(tmp_path / "m.npy", raster)
    mineral_map = read_mineral_map(tmp_path / "m.npy", table, 1)
    assert mineral_map.unmatched_fraction == pytest.approx(3 / 54)
    assert (mineral_map.phases[0, :4] == -1).all()


def test_wrong_legend_is_refused(tmp_path: Path, table: PhaseTable) -> None:
    image = np.zeros((10, 10, 3), np.uint8)
    image[:4] = (0xFF, 0, 0xFF)
    image[4:6] = (0xFF, 0xFF, 0)
    Image.fromarray(image).save(tmp_path / "m.png")
    with pytest.raises(SlagsegError) as error:
        read_mineral_map(tmp_path / "m.png", table, 1)
    assert "matches only 40.0% of the pixels" in str(error.value)
    assert "it lacks: #ff00ff (40.0%), #ffff00 (20.0%)." in str(error.value)
    image[5] = 0
    Image.fromarray(image).save(tmp_path / "m.png")
    assert read_mineral_map(tmp_path / "m.png", table, 1).unmatched_fraction == 0.5
    raster = np.full((10, 10), 77)
    raster[0] = 1
    np.save(tmp_path / "m.npy", raster)
    with pytest.raises(SlagsegError, match=r"only 10\.0% .*values that it lacks: 77 \(90\.0%\)"):
        read_mineral_map(tmp_path / "m.npy", table, 1)


def test_shared_colour_is_refused_only_where_it_occurs(tmp_path: Path, phases) -> None:
    table = PhaseTable(
        (
            Phase(0, "background", "#000000"),
            Phase(1, "a", "#ff0000"),
            Phase(2, "b", "#00ff00"),
            Phase(3, "c", "#0000ff"),
            Phase(4, "d", "#0000ff"),
        )
    )
    path = tmp_path / "m.png"
    Image.fromarray(colours(phases, table)).save(path)
    with pytest.raises(SlagsegError, match="'c' and 'd' share the colour #0000ff"):
        read_mineral_map(path, table, 1)
    Image.fromarray(colours(phases % 3, table)).save(path)
    np.testing.assert_array_equal(read_mineral_map(path, table, 1).phases, phases % 3)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    phases=hnp.arrays(
        np.int16, hnp.array_shapes(min_dims=2, max_dims=2, max_side=8), elements=st.integers(-1, 3)
    ).filter(lambda a: a.max() >= 0),
    size=st.floats(0.01, 100),
)
def test_round_trip(tmp_path: Path, table, phases, size: float) -> None:
    mineral_map = MineralMap(phases, size, table)
    write_false_colour(mineral_map, tmp_path / "m.png")
    again = read_mineral_map(tmp_path / "m.png", table, size)
    np.testing.assert_array_equal(again.phases, phases)
    write_volume(tmp_path / "m.npy", phases, None)
    again = read_mineral_map(tmp_path / "m.npy", table, size)
    np.testing.assert_array_equal(again.phases, phases)
    if min(phases.shape) > 1:
        write_raster(mineral_map, tmp_path / "m.tif")
        again = read_mineral_map(tmp_path / "m.tif", table)
        np.testing.assert_array_equal(again.phases, phases)
        assert again.pixel_size_um == pytest.approx(size)


def test_pixel_size(tmp_path: Path, table: PhaseTable, phases) -> None:
    Image.fromarray(phases.astype(np.uint8)).save(tmp_path / "m.png", dpi=(72, 72))
    with pytest.raises(SlagsegError, match=r"m\.png does not state its pixel size\. Give it in mi"):
        read_mineral_map(tmp_path / "m.png", table)
    for wrong in (0, -1, float("nan"), "x", float("inf")):
        with pytest.raises(SlagsegError, match="above 0, in micrometres"):
            read_mineral_map(tmp_path / "m.png", table, wrong)
    write_volume(tmp_path / "m.tif", phases, (1, 2, 3))
    with pytest.raises(SlagsegError, match=r"states pixels of 2\.0 x 3\.0 um; square ones"):
        read_mineral_map(tmp_path / "m.tif", table)


def test_mask(tmp_path: Path, table: PhaseTable, phases) -> None:
    """Outside it background, whatever stood there; phase 0 inside it unknown."""
    inside = np.ones(phases.shape, np.uint8)
    inside[:, 7:] = 0
    inside[0, 0] = 0
    np.save(tmp_path / "m.npy", phases)
    Image.fromarray(inside * 255).save(tmp_path / "mask.png")
    expected = phases.copy()
    expected[:3, :3] = -1
    expected[:, 7:] = 0
    expected[0, 0] = 0
    mineral_map = read_mineral_map(tmp_path / "m.npy", table, 1, mask=tmp_path / "mask.png")
    np.testing.assert_array_equal(mineral_map.phases, expected)
    assert mineral_map.unmatched_fraction == 0
    Image.fromarray(inside * 0).save(tmp_path / "mask.png")
    with pytest.raises(SlagsegError, match=r"Mask .*mask\.png covers nothing.* map .*m\.npy"):
        read_mineral_map(tmp_path / "m.npy", table, 1, mask=tmp_path / "mask.png")
    Image.fromarray(inside[1:]).save(tmp_path / "mask.png")
    with pytest.raises(SlagsegError, match=r"mask\.png has the shape \(5, 9\), but map .*\(6, 9\)"):
        read_mineral_map(tmp_path / "m.npy", table, 1, mask=tmp_path / "mask.png")


def test_what_is_no_map(tmp_path: Path, table: PhaseTable) -> None:
    with pytest.raises(
        SlagsegError, match=r"no\.png does not exist. Check the name of the mineral"
    ):
        read_mineral_map(tmp_path / "no.png", table, 1)
    (tmp_path / "m.png").write_text("nonsense")
    with pytest.raises(SlagsegError, match=r"m\.png cannot be read as an image"):
        read_mineral_map(tmp_path / "m.png", table, 1)
    tifffile.imwrite(tmp_path / "m.tif", np.zeros((5, 6, 7), np.uint8))
    with pytest.raises(SlagsegError, match=r"\(5, 6, 7\); a mineral map is one plane"):
        read_mineral_map(tmp_path / "m.tif", table, 1)
    np.save(tmp_path / "m.npy", np.full((3, 3), 0.5))
    with pytest.raises(SlagsegError, match="not whole"):
        read_mineral_map(tmp_path / "m.npy", table, 1)
    np.save(tmp_path / "o.npy", np.array([[None]]), allow_pickle=True)
    with pytest.raises(SlagsegError, match=r"never\s+opened"):
        read_mineral_map(tmp_path / "o.npy", table, 1)


def test_pillow_keeps_its_guard_for_others(tmp_path: Path, table: PhaseTable, phases) -> None:
    limit = Image.MAX_IMAGE_PIXELS
    Image.fromarray(phases.astype(np.uint8)).save(tmp_path / "m.png")
    read_mineral_map(tmp_path / "m.png", table, 1)
    assert limit == Image.MAX_IMAGE_PIXELS


@pytest.mark.shared_data
def test_tima_mount(shared_data: Path) -> None:
    """Pixel counts, counted in the vendor's raster and mask when the data came."""
    folder = shared_data / "tima_particles_in_epoxy"
    table = read_legend(folder / "ERD_d6b974f1_phases.json")
    path = folder / "ERD_d6b974f1_phases_u8.tif"
    plain = read_mineral_map(path, table, 10.0)
    assert plain.shape == (2000, 2000)
    assert plain.unmatched_fraction == 0
    assert np.count_nonzero(plain.phases == 0) == 2_296_221
    assert np.count_nonzero(plain.phases == table.by_name("Albite").id) == 887_874
    masked = read_mineral_map(path, table, 10.0, mask=folder / "ERD_d6b974f1_mask_u8.tif")
    assert np.count_nonzero(masked.phases == 0) == 2_012_799
    assert np.count_nonzero(masked.phases != 0) == 1_987_201
    with pytest.raises(SlagsegError, match="does not state its pixel size"):
        read_mineral_map(path, table)
