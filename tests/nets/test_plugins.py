"""Networks that other packages add; what is installed here is a folder on the path."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

import penult
from penult import nets
from penult.errors import UsageError
from penult.graph import variables
from penult.nets.registry import GROUP, installed

EXAMPLE = Path(__file__).parents[2] / "examples/penult-tiny-network"
MODULE = "penult_tiny_network"


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Put a package on the path, with the entry points of the example's pyproject.toml."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(site)
    modules = set(sys.modules)

    def put(source: str, package: str = "penult-tiny-network", module: str = MODULE) -> Path:
        project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        (name,) = project["entry-points"][GROUP]
        (site / f"{module}.py").write_text(source, encoding="utf-8")
        info = site / f"{package.replace('-', '_')}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[{GROUP}]\n{name} = {module}\n")
        installed.cache_clear()
        return site

    yield put
    installed.cache_clear()
    for name in set(sys.modules) - modules:
        if name.startswith(MODULE):
            del sys.modules[name]


@pytest.fixture
def tiny(install):
    return install((EXAMPLE / f"{MODULE}.py").read_text(encoding="utf-8"))


@pytest.fixture
def weights(tiny, tmp_path):
    rng = np.random.default_rng(0)
    needed = variables(nets.get("tiny_network_32").layers().values())
    save_file(
        {v.name: abs(rng.normal(size=v.shape)).astype(np.float32) for v in needed},
        tmp_path / "tiny.safetensors",
    )
    return tmp_path / "tiny.safetensors"


def test_an_installed_package_adds_its_networks_after_ours(tiny):
    names = [spec.name for spec in nets.find()]
    assert names == [spec.name for spec in nets.ours()] + ["tiny_network_32", "tiny_network_64"]
    assert penult.describe("tiny_network_64")["conv3"].shape == (8, 8, 32)


def test_the_command_lists_and_describes_them(tiny):
    environment = os.environ | {"PYTHONPATH": f"{os.environ.get('PYTHONPATH', '')}:{tiny}"}
    for command, expected in {
        ("models", "tiny*"): "tiny_network_32",
        ("describe", "tiny_network_32"): "pool",
    }.items():
        done = subprocess.run(
            [sys.executable, "-m", "penult", *command],
            capture_output=True, check=True, text=True, env=environment,
        )  # fmt: skip
        assert expected in done.stdout


def test_its_network_is_loaded_by_name(weights, photos):
    model = penult.load_model("tiny_network_32", weights=weights)
    photo = photos / "cat_chelsea.jpg"
    assert model.features([photo]).shape == (1, 32)
    assert model.logits([photo]).shape == (1, 10)
    assert model.preprocess == "torchvision"


def test_its_network_is_recognised_by_the_weights(weights):
    assert penult.load_model(weights=weights, size=64).network.name == "tiny_network_64"
    assert penult.inspect(weights).networks == ("tiny_network_32", "tiny_network_64")


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import nothing_of_this_name", "'penult_tiny_network' gives ModuleNotFoundError: No mod"),
        ("1 / 0", "'penult_tiny_network' gives ZeroDivisionError: division by zero"),
        ("x = 1", "'penult_tiny_network' gives AttributeError: module 'penult_tiny_network' has"),
        ("PRETRAINED = 1", "'penult_tiny_network' gives TypeError: 'int' object is not iterable"),
        ("PRETRAINED = ['lenet']", "PRETRAINED of 'penult_tiny_network' holds more than networks"),
        (
            "from penult.nets.lenet import PRETRAINED",
            "Penult has a network named 'lenet' too",
        ),
        (
            "from penult_tiny_networks_twin import PRETRAINED; PRETRAINED = PRETRAINED * 2",
            "penult-tiny-network has a network named 'twin' too",
        ),
    ],
)
def test_a_package_that_cannot_be_used_is_named(install, source, reason):
    site = install(source)
    twin = "from penult.nets.lenet import ARCHITECTURE as NET\nfrom penult.nets import Pretrained\n"
    twin += "PRETRAINED = [Pretrained('twin', NET, 28, None)]"
    (site / "penult_tiny_networks_twin.py").write_text(twin, encoding="utf-8")
    message = f"the networks of package 'penult-tiny-network' can't be used: {reason}"
    for use in (nets.find, lambda: nets.get("tiny_network_32")):
        with pytest.raises(UsageError, match=re.escape(message)) as raised:
            use()
        assert str(raised.value).endswith("; install another version of it, or uninstall it")
        assert "\n" not in str(raised.value)


def test_two_packages_with_one_name_are_both_named(install):
    source = (EXAMPLE / f"{MODULE}.py").read_text(encoding="utf-8")
    install(source)
    install(source, "penult-other", f"{MODULE}_other")
    message = "'penult-other' can't be used: penult-tiny-network has a network named 'tiny_network_"
    with pytest.raises(UsageError, match=re.escape(message)):
        nets.find()


def test_a_broken_package_does_not_touch_our_networks(install):
    install("1 / 0")
    assert nets.get("lenet").name == "lenet"
    checkpoint = Path(__file__).parents[1] / "reference/checkpoints/mobilenet_v1_025_v2"
    assert "mobilenet_v1_025" in penult.inspect(checkpoint).networks
