"""Work with a time limit ends in time, however it ends."""

import contextvars
import threading
import time

import pytest

from zoo.time_limits import OverdueError, within

LONG = 60.0


def test_what_is_done_in_time_is_returned():
    """Also nothing."""
    assert within(LONG, lambda: 3) == 3
    assert within(LONG, lambda: None) is None


@pytest.mark.parametrize("kind", [ValueError, SystemExit, KeyboardInterrupt, TimeoutError])
def test_what_is_raised_is_raised(kind):
    """As if it were done here, with the place where it was raised."""

    def work():
        raise kind("boom")

    with pytest.raises(kind, match="boom") as caught:
        within(LONG, work)
    assert caught.traceback[-1].name == "work"
    assert not isinstance(caught.value, OverdueError)


def test_what_takes_too_long_is_left_behind():
    """The error says where it was."""
    over = threading.Event()

    def a_long_wait():
        over.wait(LONG)

    begun = time.monotonic()
    with pytest.raises(OverdueError, match=r"0\.1 s") as caught:
        within(0.1, a_long_wait)
    over.set()

    assert time.monotonic() - begun < LONG / 2
    assert "a_long_wait" in caught.value.__notes__[0]


def test_it_is_done_in_the_same_context():
    """What a block has set for its work holds there too."""
    variable = contextvars.ContextVar("variable", default=0)
    variable.set(7)

    assert within(LONG, variable.get) == 7
