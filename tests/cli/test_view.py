"""`penult view` as people run it: an address, a page behind it, and Ctrl-C."""

import http.client
import signal
import socket
import subprocess
from contextlib import closing
from urllib.parse import urlsplit

import numpy as np
import pytest

from penult.store import Row, TableWriter

from .conftest import PENULT

VIEW = ("view", "t.lance")


@pytest.fixture
def table(tmp_path):
    with TableWriter.open_or_create(tmp_path / "t.lance", {"pool": (2,)}, {}) as table:
        table.append([Row("a.png", 1, 1, vectors={"pool": np.ones(2, np.float32)})])
    return tmp_path


@pytest.fixture
def running(table):
    with subprocess.Popen(
        [*PENULT, *VIEW], cwd=table, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        yield process
        process.kill()


def test_the_address_that_is_printed_is_answered_until_ctrl_c(running):
    address = urlsplit(running.stdout.readline().strip())
    with closing(http.client.HTTPConnection(address.netloc, timeout=20)) as connection:
        connection.request("GET", f"/?{address.query}")
        answer = connection.getresponse()
        answer.read()
    assert answer.status == 200
    running.send_signal(signal.SIGINT)
    out, messages = running.communicate(timeout=20)
    assert out == ""
    assert messages == "penult: only this machine can open it; Ctrl-C ends it\n"
    assert running.returncode == 0


@pytest.mark.usefixtures("table")
def test_a_taken_port_is_one_line(run):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = run(*VIEW, "--port", port)
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr.startswith(f"penult: can't listen at port {port}: ")
    assert result.stderr.endswith("; choose another\n")
    assert result.stderr.count("\n") == 1


def test_html_is_one_page_and_nothing_is_served(run, table):
    result = run(*VIEW, "--html", "t.html")
    assert result.returncode == 0
    assert result.stdout == ""
    assert result.stderr == "penult: t.html: 1 image, 1 of them without a picture\n"
    assert "a.png" in (table / "t.html").read_text("utf-8")
