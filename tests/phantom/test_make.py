"""What the same and other arguments give, and how making is told to stop."""

import threading

import numba
import numpy as np
import pytest

from napari_slagseg.data import CancelledError, SlagsegError
from napari_slagseg.phantom import LEVELS, PRESETS, make_phantom


def arrays(phantom):
    found = {"ct": phantom.ct.data, "phases": phantom.phases, "particles": phantom.particles}
    found["exact"] = phantom.exact.to_numpy()
    for m in phantom.maps:
        name = m.mineral_map.name
        found[f"{name} as a user gets it"] = m.mineral_map.phases
        found |= {
            f"{name} {what}": getattr(m, what) for what in ("coordinates", "particles", "phases")
        }
    return found


def test_the_same_arguments_give_the_same_bits_on_any_number_of_threads(tiny):
    threads = numba.get_num_threads()
    numba.set_num_threads(1 if threads > 1 else numba.config.NUMBA_NUM_THREADS)
    told = []
    try:
        again = make_phantom("tiny", progress=told.append, cancel=threading.Event())
    finally:
        numba.set_num_threads(threads)
    first, second = arrays(tiny), arrays(again)
    assert first.keys() == second.keys()
    for name, array in first.items():
        assert array.dtype == second[name].dtype
        assert np.array_equal(array, second[name]), name
    assert tiny.config == again.config == {"preset": "tiny", "degradation": "easy", "seed": 0}
    shares = [event.fraction for event in told]
    assert shares == sorted(shares)
    assert shares[0] == 0
    assert shares[-1] <= 1
    stages = ["packing particles", "drawing particles", "scanning", "cutting map 1"]
    assert list(dict.fromkeys(event.stage for event in told)) == [*stages, "cutting map 2"]


def test_another_seed_gives_another_sample(tiny, other):
    for name in arrays(tiny):
        assert not np.array_equal(arrays(tiny)[name], arrays(other)[name]), name


def test_worse_levels_and_more_maps_show_the_same_particles(levels, tiny):
    for phantom in levels.values():
        assert np.array_equal(phantom.particles, tiny.particles)
        assert np.array_equal(phantom.phases, tiny.phases)
        assert phantom.exact.equals(tiny.exact)
    assert [m.mineral_map.name for m in levels["extreme"].maps] == ["map_1", "map_2", "map_3"]


@pytest.mark.parametrize("stage", ["packing particles", "drawing particles"])
def test_a_cancel_stops_it_in_the_stage_it_came(stage):
    cancel, told = threading.Event(), []

    def progress(event):
        told.append(event.stage)
        if event.stage == stage:
            cancel.set()

    with pytest.raises(CancelledError):
        make_phantom("tiny", "easy", 0, progress=progress, cancel=cancel)
    assert told[-1] == stage
    assert told.count(stage) == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("huge", "easy", 0), ["no preset 'huge'", *PRESETS]),
        (("tiny", "perfect", 0), ["no degradation 'perfect'", *LEVELS]),
        (("tiny", "easy", -1), ["seed is -1", "0 or a whole number above"]),
        (("tiny", "easy", 0, -2), ["number of maps is -2", "0 or a whole number above"]),
    ],
)
def test_what_there_is_none_of_is_refused_with_what_there_is(arguments, words):
    *places, n_maps = (*arguments, None)[:4]
    with pytest.raises(SlagsegError) as error:
        make_phantom(*places, n_maps=n_maps)
    for word in words:
        assert word in str(error.value)
