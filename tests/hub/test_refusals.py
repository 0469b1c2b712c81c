"""What a hub refuses, lacks or says wrongly, in one line; a full disk; names that are none."""

import socket

import huggingface_hub.constants
import pytest

from penult.errors import CheckpointError, DownloadError, UsageError
from penult.hub import fetch, parse, resolve

from .conftest import CONFIG, FILES, LICENCE, NAME, both, info
from .server import commit_of

pytestmark = LICENCE


def test_shards_that_are_not_listed_are_said_to_be_missing(hub):
    index = {"weight_map": {"a": "model-1-of-1.safetensors"}}
    hub.publish(NAME, {"config.json": CONFIG, "model.safetensors.index.json": index})
    with pytest.raises(DownloadError, match=r"has no model-1-of-1.safetensors, which its index na"):
        fetch(parse(NAME))


def test_damaged_settings_are_said_before_the_download(hub):
    hub.publish(NAME, FILES | {"config.json": {"model_type": 3}})
    with pytest.raises(CheckpointError, match=r"config.json': model_type is a JSON number"):
        fetch(parse(NAME))
    assert not any("model.safetensors" in each for each in hub.asked)


def test_a_hub_that_never_answers_is_given_up(hub, monkeypatch):
    monkeypatch.setattr("penult.hub.download.TIMEOUT", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", endpoint)
        with pytest.raises(DownloadError, match=r"can't be reached \(timed out\): try again"):
            fetch(parse(NAME))


@pytest.mark.parametrize("how", ["down", 503])
def test_a_hub_that_does_not_answer_is_told_and_the_cache_used(how, hub, monkeypatch):
    hub.publish(NAME, FILES)
    first = fetch(parse(NAME))
    if how == "down":
        with socket.create_server(("127.0.0.1", 0)) as closed:
            endpoint = f"http://127.0.0.1:{closed.getsockname()[1]}"
        monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", endpoint)
    else:
        hub.broken = how
    told = []
    assert fetch(parse(NAME), tell=told.append) == first
    (line,) = told
    assert line.startswith(f"{NAME}: no answer (")
    assert line.endswith(f"so it is {first.commit} in the cache")
    with pytest.raises(DownloadError, match=r"a/b: http://.*(can't be reached|answers 503).*: try"):
        fetch(parse("a/b"))


def test_a_gated_repository_is_explained(hub):
    hub.publish(NAME, FILES, gated=True)
    with pytest.raises(DownloadError) as caught:
        fetch(parse(NAME))
    assert str(caught.value) == (
        f"{NAME}: is gated: accept its conditions at {hub.url}/{NAME}, then set HF_TOKEN to a"
        " token of yours that may read it"
    )


def test_a_missing_repository_and_revision_are_explained(hub):
    hub.publish(NAME, FILES)
    with pytest.raises(DownloadError, match=r"nor a repository at .*did you mean facebook/dinov2"):
        fetch(parse("facebook/dinov2"))
    with pytest.raises(DownloadError, match=r"has no revision 'v9': http://.*/tree/main lists"):
        fetch(parse(f"{NAME}@v9"))
    with pytest.raises(DownloadError, match=r"has no revision"):
        fetch(parse(f"{NAME}@{commit_of(9)}"))


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (401, r"doesn't accept the token: set HF_TOKEN to a valid one, or unset it"),
        (403, r"refuses access \(403\): set HF_TOKEN"),
        (429, "answers 429: try again later"),
        (418, "answers 418: try again later"),
    ],
)
def test_other_refusals_are_explained(status, message, hub):
    hub.broken = status
    hub.excuse = {"X_Error_Message": "Invalid credentials in Authorization header"}
    with pytest.raises(DownloadError, match=message):
        fetch(parse(NAME))


def test_a_file_that_is_listed_and_lost_is_explained(hub):
    hub.publish(NAME, FILES)
    hub.lost.add("model.safetensors")
    with pytest.raises(DownloadError, match=r"lists a file that isn't there \(404\): try again"):
        fetch(parse(NAME))


def test_no_usable_weights_are_said_with_what_there_is(hub):
    hub.publish(NAME, {"config.json": CONFIG, "tf_model.h5": b"", "onnx/model.onnx": b""})
    for _ in range(2):
        with pytest.raises(DownloadError, match=r"fetch one of onnx/model.onnx, tf_model.h5 by ha"):
            fetch(parse(NAME))
    hub.publish(NAME, {"config.json": CONFIG})
    with pytest.raises(DownloadError, match=r"no others either, see http://.*siglip2"):
        fetch(parse(NAME))


@pytest.mark.parametrize(
    "facts",
    [
        {"sha": None},
        {"sha": "../../x"},
        {"siblings": None},
        {"siblings": [{"rfilename": "config.json"}]},
        {"siblings": [{"rfilename": "config.json", "size": -1}]},
        {"siblings": [{"size": 5}]},
        {"siblings": 5},
        {"tags": 5},
    ],
)
def test_an_answer_of_something_else_is_explained(facts, hub):
    hub.publish(NAME, FILES, info=facts)
    with pytest.raises(DownloadError, match=r"doesn't answer as a hub does: HF_ENDPOINT names"):
        fetch(parse(NAME))


def test_an_endpoint_that_is_none_is_explained(monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", "nonsense")
    with pytest.raises(DownloadError, match=r"nonsense can't be reached \(.*protocol"):
        fetch(parse(NAME))


def test_settings_have_a_size(hub):
    hub.publish(NAME, FILES | {"config.json": b" " * 10_000_001})
    with pytest.raises(DownloadError, match=r"config.json has 10000001 bytes, at most 10000000"):
        fetch(parse(NAME))
    assert hub.asked == [info()]


def test_a_full_disk_is_said_before_the_download(hub, monkeypatch):
    commit = hub.publish(NAME, FILES)
    free = type("Usage", (), {"free": 5999})
    monkeypatch.setattr("penult.hub.download.shutil.disk_usage", lambda _: free)
    with pytest.raises(DownloadError, match=r"0 MB to fetch, 0 MB free in '.*hub'.*HF_HOME names?"):
        fetch(parse(NAME))
    assert hub.asked[-1] == both("preprocessor_config.json", commit)[1]


def test_a_place_that_cannot_be_written_is_said(hub, cache):
    hub.publish(NAME, FILES)
    cache.write_text("a file")
    with pytest.raises(DownloadError, match=r"HF_HOME names another place"):
        fetch(parse(NAME))


@pytest.mark.parametrize("name", ["dino", "a/b/c", "a/b--c", "weights/model.safetensors"])
def test_other_names_are_refused_with_the_form(name):
    with pytest.raises(UsageError, match=r"which is owner/name\[@revision\]; short names like it"):
        resolve(name)
