"""`penult extract` asks nobody anything: traced with its decoders, it makes no connection."""

import json
import os
import re
import shutil
import subprocess
import sys
from itertools import pairwise

import pytest

ADDRESS = re.compile(r"\bconnect\(|sa_family=")  # a connection, or a message to somebody
SENT = (  # as Linux counts
    *("Ip:OutRequests", "Ip:OutNoRoutes", "Tcp:ActiveOpens", "Udp:OutDatagrams"),
    *("Ip6OutRequests", "Ip6OutNoRoutes", "Udp6OutDatagrams"),
)

TALKS = {  # what the traces must show, or they show nothing
    "connection": "socket.socket().connect(('127.0.0.1', 9))",
    "question": "socket.socket(type=socket.SOCK_DGRAM).sendto(b'?', ('127.0.0.1', 53))",
}


def traced(command, environment, trace):
    """Run under strace; returns the calls that name an address."""
    calls = "trace=connect,sendto,sendmsg,sendmmsg"
    result = subprocess.run(
        ["strace", "-f", "-qq", "-e", calls, "-o", trace, *command],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return result, [line for line in trace.read_text().splitlines() if ADDRESS.search(line)]


def counted(command, environment, trace):
    """Run in a network of its own, where nothing is; returns the counters of what was sent."""
    script = '"$@"; code=$?; cat /proc/net/snmp /proc/net/snmp6 >"$0"; exit $code'
    result = subprocess.run(
        ["unshare", "--map-root-user", "--net", "sh", "-c", script, trace, *command],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    lines = [line.split() for line in trace.read_text().splitlines()]
    counts = [(name, count) for name, count, *more in lines if not more]  # of IPv6
    for (protocol, *names), (again, *values) in pairwise(lines):  # of the rest, in two lines
        if protocol == again:
            counts += zip((protocol + name for name in names), values, strict=True)
    return result, [name for name, count in counts if name in SENT and count != "0"]


WAYS = {
    "strace": (traced, "strace -qq -o /dev/null true"),
    "unshare": (counted, "unshare -rn true"),
}


@pytest.fixture(params=WAYS)
def watch(request, tmp_path):
    """Runs Python in a fresh home; returns its result, and whom it tried to speak to."""
    watcher, trial = WAYS[request.param]
    words = trial.split()
    if not shutil.which(words[0]) or subprocess.run(words, check=False).returncode:
        pytest.skip(f"{words[0]} isn't there, or isn't allowed here")
    home = tmp_path / "home"
    home.mkdir()
    environment = {name: text for name, text in os.environ.items() if not name.startswith("XDG_")}
    environment.pop("ORT_DISABLE_TELEMETRY", None)
    environment["HOME"] = str(home)

    def run(*arguments):
        return watcher([sys.executable, *arguments], environment, tmp_path / "trace")

    return run


@pytest.mark.parametrize("talk", TALKS)
def test_who_speaks_is_seen(talk, watch):
    result, spoken = watch("-c", f"import socket; {TALKS[talk]}")
    assert spoken, result.stderr


def test_python_alone_says_nothing(watch):
    assert watch("-c", "import socket; socket.socketpair()[0].send(b'.')")[1] == []


@pytest.mark.parametrize("copies", [1, pytest.param(40, marks=pytest.mark.slow)])
def test_a_run_says_nothing(copies, watch, photos, tmp_path):
    folder = tmp_path / "photos"
    for number in range(copies):
        shutil.copytree(photos, folder / str(number), copy_function=os.link)
    out = tmp_path / "photos.lance"
    result, spoken = watch("-m", "penult", "extract", str(folder), "-o", str(out), "--json")
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["ok"] == 20 * copies
    assert spoken == []
    assert [*(tmp_path / "home").rglob("*")] == []  # nor is anything written there
