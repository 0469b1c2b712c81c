"""What many tests share: the default model, built once, and the example photos."""

import shutil
import signal
import zlib
from pathlib import Path

import numpy as np
import psutil
import pytest

import penult
from penult.engine.devices import DEVICES, find
from penult.errors import NetworkError
from penult.images import processes, stores

ROOT = Path(__file__).parents[1]

collect_ignore_glob = ["*/make_*.py"]  # they made what tests compare with, and need PyTorch

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
OPTIONS = ["--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking",
           "--disable-component-update", "--disable-sync", "--use-gl=angle",
           "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]  # fmt: skip

# a shell's background jobs ignore Ctrl-C, and so would the commands that tests interrupt
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser):
    parser.addoption("--share", type=int, default=1, help="run one test of so many")


def pytest_collection_modifyitems(config, items):
    """Keep a share of the tests, the same ones each time."""
    share = config.getoption("--share")
    items[:] = [item for item in items if zlib.crc32(item.nodeid.encode()) % share == 0]


@pytest.fixture(autouse=True)
def nothing_remote(monkeypatch):
    """Each test names the buckets that it has tables contact."""
    monkeypatch.setattr(stores, "_allowed", set())


@pytest.fixture
def children():
    """Lists the decoder processes that run now, of which the test finds none."""
    processes.end_all()

    def decoders():
        every = psutil.Process().children()
        return {each for each in every if any("images.worker" in part for part in each.cmdline())}

    return decoders


@pytest.fixture(scope="session")
def photos() -> Path:
    return ROOT / "examples/photos"


@pytest.fixture(scope="session")
def model() -> penult.Model:
    return penult.load_model()


@pytest.fixture(scope="session")
def missing_device() -> str:
    """A device that this machine hasn't."""
    for name in DEVICES:
        try:
            find(name)
        except NetworkError:
            return name
    pytest.skip("this machine has all devices")


@pytest.fixture(scope="session")
def reference() -> dict[str, np.ndarray]:
    """What the published PyTorch port computes for the photos; see tests/reference."""
    with np.load(ROOT / "tests/reference/efficientnet_lite0.npz") as file:
        return dict(file)


@pytest.fixture(scope="session")
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright isn't installed")
    if not CHROMIUM:
        pytest.skip("there is no Chromium")
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
        yield browser
        browser.close()
