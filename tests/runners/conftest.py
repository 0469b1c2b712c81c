"""A Ray cluster of three machines that are processes, in a network namespace of its own."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

HERE = Path(__file__).parent
UNSHARE = ["unshare", "--map-root-user", "--net"]
SECONDS = 120  # that a command may take


class Cluster:
    """A cluster, and commands in its network."""

    def __init__(self, machines, home):
        paths = [str(HERE.parent), os.environ.get("PYTHONPATH", "")]
        own = {"HOME": str(home), "PYTHONPATH": os.pathsep.join(filter(None, paths))}
        self._environment = os.environ | own | {"RAY_USAGE_STATS_ENABLED": "0"}
        start = 'ip link set lo up && exec "$@"'
        host = [sys.executable, str(HERE / "cluster_host.py"), str(machines)]
        self._log = (home / "cluster.log").open("w")
        self._host = subprocess.Popen(
            [*UNSHARE, "sh", "-c", start, "sh", *host],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            env=self._environment,
        )
        try:
            self.address = self._answer()
        except BaseException:
            self.close()
            raise

    def _answer(self):
        for line in self._host.stdout:
            if line.startswith("READY "):
                return json.loads(line.removeprefix("READY "))
        raise AssertionError(Path(self._log.name).read_text()[-2000:])

    def do(self, words):
        """`add`, or `remove N`."""
        self._host.stdin.write(words + "\n")
        self._host.stdin.flush()
        self._answer()

    def start(self, *arguments, module="penult", before=(), **options):
        """Start a command, perhaps by way of another one."""
        into = [
            "nsenter",
            f"--target={self._host.pid}",
            "--user",
            "--net",
            "--preserve-credentials",
        ]
        return subprocess.Popen(
            [*into, *map(str, before), sys.executable, "-m", module, *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self._environment | options.pop("environment", {}),
            **options,
        )

    def run(self, *arguments, **options):
        """Run a command to its end; gives its exit code and what it said."""
        with self.start(*arguments, **options) as process:
            out, err = process.communicate(timeout=SECONDS)
        return process.returncode, out, err

    def extract(self, *arguments):
        """Run `penult extract` on the cluster; gives its counts."""
        code, out, err = self.run("extract", *arguments, "--json", "--ray", self.address)
        assert code in (0, 1), err
        return json.loads(out)

    def extractors(self):
        """The processes of extractors that are at work."""
        every = psutil.Process(self._host.pid).children(recursive=True)
        return [each for each in every if _title(each).startswith("ray::Extractor")]

    def close(self):
        """End all of it."""
        every = psutil.Process(self._host.pid).children(recursive=True)
        self._host.stdin.close()
        try:
            self._host.wait(30)
        except subprocess.TimeoutExpired:
            self._host.kill()
            self._host.wait()
        for process in every:
            if process.is_running():
                process.kill()
        self._host.stdout.close()
        self._log.close()


def _title(process):
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def require_namespace():
    """Skip where no network of one's own is allowed: Ray would be open to others."""
    if not shutil.which("unshare") or not shutil.which("nsenter") or not shutil.which("ip"):
        pytest.skip("unshare, nsenter and ip are needed to shut Ray in: not tested here")
    trial = [*UNSHARE, "ip", "link", "set", "lo", "up"]
    if subprocess.run(trial, check=False, capture_output=True).returncode:
        pytest.skip("network namespaces aren't allowed, Ray would be open to others: not tested")


@pytest.fixture(scope="session")
def cluster(tmp_path_factory):
    """A head, and two machines of one core, which nobody kills."""
    pytest.importorskip("ray")
    require_namespace()
    cluster = Cluster(2, tmp_path_factory.mktemp("home"))
    yield cluster
    cluster.close()


@pytest.fixture
def fragile(tmp_path):
    """One that a test may kill parts of."""
    pytest.importorskip("ray")
    require_namespace()
    home = tmp_path / "home"
    home.mkdir()
    cluster = Cluster(2, home)
    yield cluster
    cluster.close()
