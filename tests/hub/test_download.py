"""Repositories fetched from a hub: what is asked, what is kept, and what is told."""

import json
from concurrent.futures import ThreadPoolExecutor

import huggingface_hub.constants
import pytest

from penult.errors import DownloadError
from penult.hub import fetch, parse, resolve

from .conftest import CONFIG, FILES, LICENCE, NAME, WEIGHTS, both, info
from .server import sha256

pytestmark = LICENCE


def test_only_what_is_needed_is_asked_for(hub, cache):
    commit = hub.publish(NAME, FILES)
    fetched = fetch(parse(NAME))
    needed = ["config.json", "preprocessor_config.json", "model.safetensors"]
    assert hub.asked == [info(), *(each for file in needed for each in both(file, commit))]
    assert sorted(each.name for each in fetched.folder.iterdir()) == sorted(needed)
    assert fetched.folder.is_relative_to(cache)
    assert fetched.commit == commit
    assert fetched.files["model.safetensors"] == f"sha256:{sha256(WEIGHTS)}"
    assert fetched.files["config.json"] == f"sha256:{sha256(json.dumps(CONFIG).encode())}"


def test_a_name_becomes_a_repository(hub):
    commit = hub.publish(NAME, FILES)
    found = resolve("siglip2")
    assert (found.name, found.commit, found.library) == (NAME, commit, "transformers")
    assert found.weights.read_bytes() == WEIGHTS
    assert found.preprocessor == {"size": 224}
    assert found.digests.keys() == {each.name for each in found.path.iterdir()}


def test_a_tokenizer_is_fetched_when_it_is_asked_for(hub):
    commit = hub.publish(NAME, FILES)
    fetch(parse(NAME))
    hub.asked.clear()
    fetched = fetch(parse(NAME), text=True)
    files = ["tokenizer.json", "spiece.model"]
    assert hub.asked == [info(), *(each for file in files for each in both(file, commit))]
    assert set(files) < fetched.files.keys()


def test_a_branch_that_stayed_costs_one_question(hub):
    hub.publish(NAME, FILES)
    first = fetch(parse(NAME))
    hub.asked.clear()
    assert fetch(parse(NAME)) == first
    assert hub.asked == [info()]


def test_a_branch_that_moved_is_followed_and_equal_files_are_not_fetched_again(hub, monkeypatch):
    first = hub.publish(NAME, FILES)
    fetch(parse(NAME))
    second = hub.publish(NAME, FILES | {"config.json": CONFIG | {"new": 1}})
    hub.asked.clear()
    free = type("Usage", (), {"free": 100})  # bytes: enough for the settings
    monkeypatch.setattr("penult.hub.download.shutil.disk_usage", lambda _: free)
    told, done = [], []
    fetched = fetch(parse(NAME), tell=told.append, progress=lambda *counts: done.append(counts))
    assert (told, done) == ([], [(len(WEIGHTS), len(WEIGHTS))])
    assert fetched.commit == second != first
    same = [both(file, second)[0] for file in ("preprocessor_config.json", "model.safetensors")]
    assert hub.asked == [info(), *both("config.json", second), *same]


def test_a_cached_commit_costs_no_question(hub):
    commit = hub.publish(NAME, FILES)
    pinned = parse(f"{NAME}@{commit}")
    first = fetch(pinned)
    assert hub.asked[0] == info(commit)
    hub.asked.clear()
    assert fetch(pinned) == first
    assert hub.asked == []


def test_a_commit_and_a_tag_are_others_than_the_branch(hub):
    commit = hub.publish(NAME, FILES, branch="v1.0")
    hub.publish(NAME, FILES)
    assert fetch(parse(f"{NAME}@v1.0")).commit == commit
    hub.publish("a/b", FILES, branch="refs/pr/3")
    assert resolve("a/b@refs/pr/3").name == "a/b@refs/pr/3"
    assert hub.asked[-7] == info("refs%2Fpr%2F3", "a/b")


@pytest.mark.parametrize(
    ("file", "lie", "message"),
    [
        ("model.safetensors", WEIGHTS[:-1] + b"!", "model.safetensors has [0-9a-f]{64}, expected"),
        ("config.json", b" " * len(json.dumps(CONFIG)), "config.json has [0-9a-f]{40}, expected"),
        ("model.safetensors", WEIGHTS + b"!", "has more than the 6000 bytes named"),
        ("model.safetensors", WEIGHTS[:-1], "file should be of size 6000 but has size 5999"),
    ],
)
def test_another_file_than_was_named_is_removed(file, lie, message, hub, cache):
    hub.publish(NAME, FILES)
    hub.lies[file] = lie
    with pytest.raises(DownloadError, match=f"^{NAME}: .*{message}"):
        fetch(parse(NAME))
    assert not any(each.name == file for each in cache.rglob("*"))
    whole = [each for each in cache.rglob("*") if each.is_file() and each.suffix != ".incomplete"]
    assert lie not in [each.read_bytes() for each in whole]


def test_the_token_goes_to_the_hub_only(hub, monkeypatch):
    hub.publish(NAME, FILES, gated=True)
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    fetch(parse(NAME))
    for (host, token, _), asked in zip(hub.seen, hub.asked, strict=True):
        assert (token is None) is ("/cdn/" in asked) is host.startswith("localhost")


def test_threads_fetch_the_same_once(hub):
    commit = hub.publish(NAME, FILES)
    with ThreadPoolExecutor(4) as pool:
        first, *others = pool.map(lambda _: fetch(parse(NAME)), range(4))
    assert others == [first] * 3
    assert hub.asked.count(both("model.safetensors", commit)[1]) == 1


def test_shards_are_fetched_with_their_index(hub):
    parts = {f"model-{n}-of-2.safetensors": b"%d" % n for n in (1, 2)}
    index = {"weight_map": dict(zip("ab", parts, strict=True))}
    files = {"config.json": CONFIG, "model.safetensors.index.json": index, **parts}
    commit = hub.publish(NAME, files)
    found = resolve(NAME)
    assert hub.asked == [info(), *(each for file in files for each in both(file, commit))]
    assert found.weights.name == "model.safetensors.index.json"
    hub.asked.clear()
    assert resolve(f"{NAME}@{commit}").digests == found.digests
    assert hub.asked == []
    lost = found.path / "model-2-of-2.safetensors"
    lost.resolve().unlink()
    lost.unlink()
    assert resolve(f"{NAME}@{commit}").digests == found.digests
    assert hub.asked == [info(commit), *both(lost.name, commit)]


def test_the_whole_clip_is_fetched_where_its_text_tower_is_wanted(hub):
    files = {
        "config.json": {"architecture": "vit_base_patch16_clip_224"},
        "open_clip_config.json": {"model_cfg": {}},
        "model.safetensors": b"image",
        "open_clip_model.safetensors": b"image and text",
    }
    commit = hub.publish(NAME, files)
    assert resolve(NAME).library == "timm"
    assert resolve(NAME, text=True).library == "open_clip"
    assert resolve(f"{NAME}@{commit}").weights.read_bytes() == b"image"
    assert resolve(f"{NAME}@{commit}", text=True).weights.read_bytes() == b"image and text"


def test_without_links_files_are_copied_and_verified(hub, cache, monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_DISABLE_SYMLINKS", True)
    commit = hub.publish(NAME, FILES)
    fetched = fetch(parse(NAME))
    assert not any(each.is_symlink() for each in cache.rglob("*"))
    assert fetched.files["model.safetensors"] == f"sha256:{sha256(WEIGHTS)}"
    hub.publish("a/b", FILES)
    hub.lies["model.safetensors"] = WEIGHTS[:-1] + b"!"
    with pytest.raises(DownloadError, match="expected"):
        fetch(parse("a/b"))
    siblings = [{"rfilename": "model.safetensors", "size": len(WEIGHTS), "blobId": "../x"}]
    hub.publish("a/c", FILES, info={"siblings": siblings})
    with pytest.raises(DownloadError, match="no digest that was named, expected one"):
        fetch(parse("a/c"))
    hub.lies.clear()
    fetch(parse("a/b"))
    assert fetch(parse(f"{NAME}@{commit}")) == fetched


def test_a_damaged_note_of_the_commit_is_none(hub, cache, monkeypatch):
    commit = hub.publish(NAME, FILES)
    fetch(parse(NAME))
    (note,) = cache.glob("*/refs/main")
    assert note.read_text() == commit
    note.write_bytes(b"../../\xff")
    assert fetch(parse(NAME)).commit == commit
    note.write_text("../..")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(DownloadError, match="isn't whole"):
        fetch(parse(NAME))


def test_the_licence_is_told_once(hub):
    hub.publish(NAME, FILES, card={"license": "other", "license_name": "gemma"})
    told = []
    fetch(parse(NAME), tell=told.append)
    fetch(parse(NAME), tell=told.append)
    assert told == [f"{NAME}: licence other, gemma, see {hub.url}/{NAME}"]


@pytest.mark.filterwarnings("error")
def test_what_is_told_is_a_warning_otherwise(hub):
    hub.publish(NAME, FILES)
    with pytest.warns(UserWarning, match=f"^{NAME}: no licence is named, see http://.*{NAME}$"):
        fetch(parse(NAME))


def test_offline_takes_what_the_hub_last_named(hub, monkeypatch):
    hub.publish(NAME, FILES)
    first = fetch(parse(NAME))
    hub.asked.clear()
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    told = []
    assert fetch(parse(NAME), tell=told.append) == first
    assert (hub.asked, told) == ([], [])
    with pytest.raises(DownloadError, match=r"b: isn't whole in '.*', and HF_HUB_OFFLINE forbids"):
        fetch(parse("a/b"))
    with pytest.raises(DownloadError, match="isn't whole in"):  # its tokenizer isn't there
        fetch(parse(NAME), text=True)
    assert hub.asked == []


def test_weights_of_another_program_are_not_enough(hub, cache, monkeypatch):
    commit = hub.publish(NAME, FILES)
    for file in ("config.json", "pytorch_model.bin"):
        huggingface_hub.hf_hub_download(NAME, file, tqdm_class=None)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(DownloadError, match="isn't whole in"):
        fetch(parse(NAME))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    hub.asked.clear()
    assert "pytorch_model.bin" not in fetch(parse(NAME)).files
    needed = ["preprocessor_config.json", "model.safetensors"]
    assert hub.asked == [info(), *(each for file in needed for each in both(file, commit))]
