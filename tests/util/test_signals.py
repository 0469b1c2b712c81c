"""A stop that comes within a commit waits for its end."""

import os
import signal
import threading

import pytest

from penult.util.signals import delay_stops, raise_on_sigterm, was_terminated


@pytest.fixture(autouse=True)
def _handlers():
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_sigterm_is_a_kind_of_ctrl_c():
    raise_on_sigterm()
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGTERM)
    assert was_terminated()
    raise_on_sigterm()
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGINT)
    assert not was_terminated()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_within_the_block_comes_at_its_end(number):
    def work():
        with delay_stops():
            os.kill(os.getpid(), number)
            os.kill(os.getpid(), number)
            done.append(True)

    raise_on_sigterm()
    done = []
    with pytest.raises(KeyboardInterrupt):
        work()
    assert done
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), number)


def test_an_error_within_the_block_is_not_lost():
    with pytest.raises(ValueError, match="disk"), delay_stops():
        raise ValueError("disk")


def test_other_threads_have_nothing_to_hold_back():
    def work():
        with delay_stops():
            done.append(signal.getsignal(signal.SIGINT))

    done = []
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [signal.getsignal(signal.SIGINT)]
