import gc
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import CancelledError
from contextlib import closing
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from threading import Thread

import numpy as np
import psutil
import pytest
from PIL import Image

from penult.errors import ImageError, PenultError, UsageError
from penult.images import Limits, processes, workers
from penult.images.shared import Setup
from penult.images.workers import Decoders

CRASH, HANG, GREED, KILL, CHATTER, RAISE, PROLIX = range(1, 8)  # the red of a marked image


@dataclass(frozen=True)
class Poisoned:
    """A preprocessing that does to marked images what a broken decoder does."""

    shorter = None

    def __call__(self, rgb):
        red = rgb.getpixel((0, 0))[0]
        if red == CRASH:
            os.abort()
        if red == HANG:
            time.sleep(60)
        if red == GREED:
            np.ones(2**30, np.uint8)
        if red == KILL:
            os.kill(os.getpid(), signal.SIGKILL)
        if red == CHATTER:
            os.write(1, b"a library's warning\n")
        if red == RAISE:
            raise ZeroDivisionError
        if red == PROLIX:
            raise ImageError("damaged", "very " * 1000)
        return np.full((1, 1, 3), red, np.float32)


def encoded(red, kind):
    file = BytesIO()
    Image.new("RGB", (8, 4), (red, 0, 0)).save(file, kind)
    return file.getvalue()


def png(red):
    return encoded(red, "PNG")


def made(seconds=2, **options):
    setup = Setup(Poisoned(), "exact", Limits(seconds=seconds, memory=2**29))
    return closing(Decoders(setup, **{"slots": 5, "count": 1} | options))


@pytest.fixture
def decoders():
    with made() as decoders:
        yield decoders


def one(decoders, source, slot=0):
    [result] = decoders.submit([source], slot).result()
    return result


def failure(decoders, source):
    error = one(decoders, source)
    assert isinstance(error, ImageError)
    return str(error)


def test_an_input_is_written_where_it_belongs(decoders, tmp_path):
    (tmp_path / "a.png").write_bytes(png(50))
    sources = [png(100), tmp_path / "a.png", str(tmp_path / "a.png"), Image.new("RGB", (8, 4))]
    prepared = decoders.submit(sources, 1).result()
    assert [(p.width, p.height) for p in prepared] == [(8, 4)] * 4
    np.testing.assert_array_equal(decoders.inputs[:, 0, 0, 0], [0, 100, 50, 50, 0])


@pytest.mark.parametrize(
    ("red", "message"),
    [
        (CRASH, "decoder_crash: the decoder ended with SIGABRT, twice"),
        (KILL, "decoder_crash: the decoder ended with SIGKILL, twice"),
        (HANG, "timeout: decoding takes longer than 2 s"),
        (GREED, "memory: Unable to allocate 1.00 GiB for an array"),
        (RAISE, "damaged: ZeroDivisionError"),
        (PROLIX, "decoder_crash: the decoder ended with status 0, twice"),
    ],
)
def test_a_poisonous_image_fails_and_the_next_one_does_not(decoders, red, message):
    assert failure(decoders, png(red)).startswith(message)
    assert one(decoders, png(200), 1).width == 8
    assert decoders.inputs[1, 0, 0, 0] == 200


def test_slow_reading_is_no_slow_decoding(monkeypatch, tmp_path, children):
    serve = """
import time
from penult.images import prepare, worker
read = prepare.read
prepare.read = lambda *a: time.sleep(0.8) or read(*a)
worker.serve()  # images.worker
"""
    monkeypatch.setattr(processes, "_SERVE", serve)
    (tmp_path / "a.png").write_bytes(png(9))
    with made(seconds=0.5) as decoders:
        assert one(decoders, tmp_path / "a.png").width == 8
    limits = Limits(seconds=0.5, reading=0.3)
    with closing(Decoders(Setup(Poisoned(), "exact", limits), slots=1, count=1)) as decoders:
        message = "timeout: reading takes longer than 0.3 s"
        assert failure(decoders, tmp_path / "a.png") == message


def test_poison_costs_nothing_of_what_a_decoder_got_along(decoders):
    sources = [png(red) for red in (100, HANG, 101, CRASH, 102)]
    results = decoders.submit(sources, 0).result()
    codes = [getattr(result, "code", None) for result in results]
    assert codes == [None, "timeout", None, "decoder_crash", None]
    np.testing.assert_array_equal(decoders.inputs[::2, 0, 0, 0], [100, 101, 102])


def test_large_files_do_not_take_the_memory_of_each_other(decoders, children):
    one(decoders, png(9))
    before = children()
    large = [encoded(red, "BMP") + bytes(60 << 20) for red in range(100, 105)]  # limit: 512 MiB
    assert [image.width for image in decoders.submit(large, 0).result()] == [8] * 5
    assert children() == before
    np.testing.assert_array_equal(decoders.inputs[:, 0, 0, 0], range(100, 105))


@pytest.mark.parametrize("source", [b"", b"text", "/", "/none.png"])
def test_a_file_that_is_no_image_fails_as_it_does_without_processes(decoders, source, monkeypatch):
    apart = failure(decoders, source)
    monkeypatch.setattr(workers, "AVAILABLE", False)
    assert failure(decoders, source) == apart


def test_a_source_of_another_kind_is_refused(decoders):
    with pytest.raises(UsageError, match="a int isn't an image"):
        one(decoders, 7)


def test_what_libraries_print_is_neither_shown_nor_taken_for_an_answer(decoders, capfd):
    assert one(decoders, png(CHATTER)).width == 8
    assert capfd.readouterr() == ("", "")


def test_images_in_memory_start_no_process(decoders, children):
    one(decoders, Image.new("RGB", (8, 4)))
    assert not children()


def test_all_decoders_share_processes(children):
    for red in (1, 50, 200):
        with made() as first, made() as second:
            assert one(first, png(red + 10)).width == one(second, png(red + 11)).width == 8
            assert first.inputs[0, 0, 0, 0] == red + 10
            assert second.inputs[0, 0, 0, 0] == red + 11
    assert len(children()) == 1


def test_no_more_processes_than_cores_are_at_work(children, monkeypatch):
    monkeypatch.setattr(processes, "_limit", lambda: 1)
    with made(count=3) as first, made(count=3) as second:
        futures = [each.submit([png(9)], slot) for each in (first, second) for slot in range(5)]
        assert all(future.result()[0].width == 8 for future in futures)
    assert len(children()) == 1


def test_whoever_has_waited_longest_gets_the_next_process(children, monkeypatch):
    monkeypatch.setattr(processes, "_limit", lambda: 1)
    order = []

    def take(name):
        with processes.borrow(name, lambda: True):
            order.append(name)

    threads = [Thread(target=take, args=[name]) for name in "abcd"]
    with processes.borrow("first", lambda: True):
        for number, thread in enumerate(threads, 1):
            thread.start()
            while len(processes._pool.queue) < number:
                time.sleep(0.001)
    for thread in threads:
        thread.join()
    assert order == [*"abcd"]


def test_to_leave_waits_for_no_image_of_others(children, monkeypatch):
    monkeypatch.setattr(processes, "_limit", lambda: 1)
    with made(seconds=60) as others:
        hanging = others.submit([png(HANG)], 0)
        while not children():
            time.sleep(0.01)
        start = time.monotonic()
        with made() as decoders:
            waiting = decoders.submit([png(9)], 0)
        assert time.monotonic() - start < 10
        assert waiting.cancelled() or isinstance(waiting.exception(), CancelledError)
    assert hanging.exception()


def test_a_process_without_work_ends(children, monkeypatch):
    serve = "import penult.images.worker as worker; worker.IDLE_SECONDS = 0.2; worker.serve()"
    monkeypatch.setattr(processes, "_SERVE", serve)
    with made() as decoders:
        assert one(decoders, png(9)).width == 8
        (process,) = children()
        deadline = time.monotonic() + 10
        while psutil.pid_exists(process.pid) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert not psutil.pid_exists(process.pid)  # a zombie would be there
        assert one(decoders, png(9)).width == 8


@pytest.mark.filterwarnings("ignore:lance is not fork-safe")  # it says so, whoever forks
def test_a_forked_child_has_processes_of_its_own(decoders, children):
    assert one(decoders, png(9)).width == 8
    child = os.fork()
    if child == 0:
        try:
            with made() as own:
                os._exit(one(own, png(9)).width)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 8
    assert one(decoders, png(10)).width == 8
    assert len(children()) == 1


def test_to_leave_gives_up_what_hangs(children):
    start = time.monotonic()
    with made(seconds=60, count=2) as decoders:
        hanging = [decoders.submit([png(HANG)], slot) for slot in range(4)]
        while len(children()) < 2:
            time.sleep(0.01)
    assert time.monotonic() - start < 30
    assert all(future.cancelled() or future.exception() for future in hanging)
    assert len(children()) == len(processes._pool.idle)  # one that had just started, perhaps


def test_no_file_stays_open():
    def prepare():
        with made() as decoders:
            assert failure(decoders, png(KILL)).startswith("decoder_crash")
        gc.collect()  # the error's frames know the decoders

    prepare()  # opens what is opened once
    before = psutil.Process().num_fds()
    prepare()
    assert psutil.Process().num_fds() == before


def test_processes_die_with_the_parent(tmp_path):
    script = """
import psutil, sys, time
sys.path.insert(0, sys.argv[1])
from test_workers import HANG, made, png
with made(seconds=5, count=2) as decoders:
    hanging = decoders.submit([png(HANG)], 0)
    decoders.submit([png(9)], 1).result()
    print(*(child.pid for child in psutil.Process().children()), flush=True)
    time.sleep(60)
"""
    command = [sys.executable, "-c", script, Path(__file__).parent]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as parent:
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        parent.kill()
    assert len(pids) == 2
    deadline = time.monotonic() + 20
    while any(psutil.pid_exists(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(psutil.pid_exists(pid) for pid in pids)


@pytest.mark.usefixtures("children")
def test_a_process_that_cannot_start_is_an_error(monkeypatch):
    monkeypatch.setattr(processes, "_SERVE", "raise SystemExit(3)")
    with (
        made() as decoders,
        pytest.raises(PenultError, match="a decoder process ended with status 3"),
    ):
        one(decoders, png(9))


@pytest.mark.skipif(sys.platform != "linux", reason="macOS has no such limit")
def test_a_limit_that_the_system_sets_holds_for_processes_too():
    script = """
import resource, sys
sys.path.insert(0, sys.argv[1])
resource.setrlimit(resource.RLIMIT_DATA, (2**29, 2**29))
from test_workers import *
with closing(Decoders(Setup(Poisoned()), 1, 1)) as decoders:
    assert one(decoders, png(9)).width == 8
"""
    subprocess.run([sys.executable, "-c", script, Path(__file__).parent], check=True, timeout=60)
