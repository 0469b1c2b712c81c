"""One writer at a time, and none that outlives its process."""

import os
import platform
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from penult.errors import StoreError
from penult.store import TableWriter, open_table
from penult.store.lock import Lock

HOLD = "import sys, time; from penult.store.lock import Lock; from pathlib import Path; "
HOLD += "lock = Lock(Path(sys.argv[1])); print('held', flush=True); "


def holding(path, then):
    """A process that takes the lock, says so, and does something."""
    command = [sys.executable, "-c", HOLD + then, path]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"held\n"
    return process


def test_a_second_writer_is_told_who_the_first_is(begin):
    with begin() as table:
        message = f"{table.path}' is being written by process {os.getpid()} on {platform.node()}: "
        with pytest.raises(StoreError) as caught:
            TableWriter.open(table.path)
    assert message in str(caught.value)


def test_readers_need_no_lock(begin, make_row):
    with begin() as table:
        table.append([make_row(1)])
        assert open_table(table.path).keys == ["001.jpg"]


def test_a_killed_writer_blocks_nobody(tmp_path):
    with holding(tmp_path / "lock", "time.sleep(60)") as process:
        with pytest.raises(StoreError, match=f"process {process.pid} on"):
            Lock(tmp_path / "lock")
        process.send_signal(signal.SIGKILL)
        process.wait()
        Lock(tmp_path / "lock").release()


def test_workers_forked_by_a_killed_writer_block_nobody(tmp_path):
    then = "import os; os.fork() or (print(os.getpid(), flush=True), time.sleep(60)); time.sleep(9)"
    with holding(tmp_path / "lock", then) as process:
        worker = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
        process.wait()
        try:
            Lock(tmp_path / "lock").release()
        finally:
            os.kill(worker, signal.SIGKILL)


def test_what_the_lock_file_says_is_escaped(tmp_path):
    holder = Lock(tmp_path / "lock")
    (tmp_path / "lock").write_bytes(b"\x1b[31mevil\xff\n")
    with pytest.raises(StoreError, match=r"written by \\x1b\[31mevil\ufffd: wait"):
        Lock(tmp_path / "lock")
    holder.release()


def test_a_lock_that_cannot_be_made_is_one_line(tmp_path):
    with pytest.raises(StoreError, match=r"can't lock '.*lock': No such file or directory$"):
        Lock(Path(tmp_path, "missing", "lock"))


def test_a_group_may_write_where_the_folder_lets_it(begin):
    before = os.umask(0o002)
    try:
        with begin() as table:
            modes = {
                file.stat().st_mode & 0o777 for file in table.path.rglob("*") if file.is_file()
            }
    finally:
        os.umask(before)
    assert modes == {0o664}
