"""What the tests of the hub share: a hub of their own, and a cache that is empty."""

import huggingface_hub
import huggingface_hub.constants
import pytest

from penult.hub import download

from .server import Hub

LICENCE = pytest.mark.filterwarnings("ignore:.*licen")  # is told with each first download
NAME = "google/siglip2-base-patch16-224"
WEIGHTS = b"safetensors " * 500
CONFIG = {"model_type": "siglip", "auto_map": {"AutoModel": "modeling.Evil"}}
FILES = {
    ".gitattributes": b"",
    "README.md": b"",
    "config.json": CONFIG,
    "preprocessor_config.json": {"size": 224},
    "model.safetensors": WEIGHTS,
    "pytorch_model.bin": b"pickle",
    "modeling.py": b"raise SystemExit",
    "tokenizer.json": {"version": "1.0"},
    "spiece.model": b"pieces",
}


@pytest.fixture
def hub():
    with Hub() as hub:
        yield hub


@pytest.fixture(autouse=True)
def cache(hub, tmp_path, monkeypatch):
    """The cache of huggingface_hub, which was imported before with the settings of the machine."""
    constants = huggingface_hub.constants
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setattr(constants, "ENDPOINT", hub.url)
    template = f"{hub.url}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(download, "_kept", set())
    return tmp_path / "hub"


def info(revision="main", name=NAME):
    """The request that asks what there is."""
    return f"GET /api/models/{name}/revision/{revision}?blobs=true"


def both(file, commit, name=NAME):
    """The requests that fetch a file."""
    place = f"/{name}/resolve/{commit}/{file}"
    large = file.endswith((".safetensors", ".bin"))
    return [f"HEAD {place}", f"GET /cdn/{name}/{commit}/{file}" if large else f"GET {place}"]
