"""Things made ahead: in order, no more than asked for, errors where they belong."""

import threading
import time

import pytest

from napari_slagseg.networks.reading_ahead import ReadAhead


@pytest.mark.parametrize("threads", [0, 1, 4])
def test_they_come_in_order_whatever_the_threads(threads):
    def make(number):
        time.sleep(0.002 * (number % 3))
        return number**2

    with ReadAhead(make, range(5, 30), threads=threads) as ahead:
        assert [ahead.take() for _ in range(25)] == [n**2 for n in range(5, 30)]
        with pytest.raises(StopIteration):
            ahead.take()


def test_no_more_are_made_than_may_wait():
    made = []
    with ReadAhead(made.append, range(1000), threads=3, ahead=4) as ahead:
        time.sleep(0.2)
        assert sorted(made) == [0, 1, 2, 3]
        ahead.take()
        time.sleep(0.2)
        assert sorted(made) == [0, 1, 2, 3, 4]
    assert len(made) == 5  # nothing is made after the end


def test_an_error_is_raised_where_its_thing_is_taken():
    def make(number):
        if number == 2:
            raise ValueError("the third")
        return number

    with ReadAhead(make, range(9), threads=2) as ahead:
        assert [ahead.take(), ahead.take()] == [0, 1]
        with pytest.raises(ValueError, match="the third"):
            ahead.take()


def test_the_time_waited_is_told():
    gate = threading.Event()
    with ReadAhead(lambda number: gate.wait(5), range(1), threads=1) as ahead:
        threading.Timer(0.3, gate.set).start()
        ahead.take()
        assert 0.2 < ahead.waited_s < 3
    with ReadAhead(lambda number: number, range(3), threads=1) as ahead:
        time.sleep(0.2)  # all of them are there by now
        for _ in range(3):
            ahead.take()
        assert ahead.waited_s < 0.1
    with ReadAhead(lambda number: time.sleep(0.1), range(2), threads=0) as ahead:
        ahead.take()
        assert ahead.waited_s >= 0.1
