"""The environment, other programs' settings, and what huggingface_hub would do on its own."""

import os
import subprocess
import sys

import huggingface_hub
import huggingface_hub.constants
import pytest

from penult.errors import MissingExtraError
from penult.hub import fetch, parse
from penult.version import __version__

from .conftest import FILES, LICENCE, NAME, both, info

pytestmark = LICENCE
NEEDED = ("config.json", "preprocessor_config.json", "model.safetensors")


def python(code, **variables):
    """What a new process says on standard output; nothing may come on the other."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    command = [sys.executable, "-W", "ignore", "-c", code]
    ended = subprocess.run(
        command, capture_output=True, text=True, env=env | variables, timeout=60, check=True
    )
    assert ended.stderr == ""
    return ended.stdout.strip()


def test_variables_hold_and_nothing_else_is_asked_or_shown(hub, tmp_path):
    commit = hub.publish(NAME, FILES, gated=True)
    hub.cuts["model.safetensors"] = 2000  # of which the library warns
    code = f"from penult.hub import fetch, parse; print(fetch(parse('{NAME}')).folder)"
    said = python(
        code,
        HF_ENDPOINT=hub.url,
        HF_HOME=str(tmp_path / "home"),
        HF_TOKEN="hf_secret",
        TQDM_POSITION="-1",  # forces its bars
    )
    storage = "models--" + NAME.replace("/", "--")
    assert said == str(tmp_path / "home/hub" / storage / "snapshots" / commit)
    again = both("model.safetensors", commit)[1]
    assert hub.asked == [info(), *(each for file in NEEDED for each in both(file, commit)), again]
    assert hub.seen[0][1] == "Bearer hf_secret"
    python_version = ".".join(map(str, sys.version_info[:3]))
    package = f"hf_hub/{huggingface_hub.__version__}"
    assert hub.agents == {f"penult/{__version__}; {package}; python/{python_version}"}

    def offline(**variables):
        return python(code, HF_HUB_OFFLINE="1", HF_ENDPOINT=hub.url, **variables)

    hub.asked.clear()
    assert offline(HF_HOME=str(tmp_path / "home")) == said
    assert offline(HF_HUB_CACHE=str(tmp_path / "home/hub")) == said
    assert hub.asked == []


def test_telemetry_is_off_where_another_program_imported_the_library(hub, monkeypatch):
    commit = hub.publish(NAME, FILES)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_DISABLE_TELEMETRY", False)
    monkeypatch.setattr("huggingface_hub.utils._detect_agent._registry", None)
    fetch(parse(NAME))
    assert hub.asked == [info(), *(each for file in NEEDED for each in both(file, commit))]


def test_the_library_is_imported_for_its_names_only_and_little_of_it_for_a_cached_one(
    hub, tmp_path
):
    variables = {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path)}
    loaded = "print([name for name in ('huggingface_hub', 'httpx2') if name in sys.modules])"
    assert python(f"import sys, penult.hub; {loaded}", **variables) == "[]"
    pinned = f"{NAME}@{hub.publish(NAME, FILES)}"
    code = f"import sys; from penult.hub import fetch, parse; fetch(parse('{pinned}')); {loaded}"
    quiet = "; from huggingface_hub import constants; print(constants.HF_HUB_DISABLE_TELEMETRY)"
    assert python(code + quiet, **variables) == "['huggingface_hub', 'httpx2']\nTrue"
    assert python(code, **variables) == "['huggingface_hub']"


@pytest.mark.parametrize("module", ["huggingface_hub", "httpx2"])
def test_the_extra_is_named_where_it_is_missing_or_old(module, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=r"^a repository .*pip install 'penult\[hub\]'$"):
        fetch(parse(NAME))
