"""Repositories fetched from a hub: what is asked, what is kept, and what is said when it fails."""

import json
import socket
from concurrent.futures import ThreadPoolExecutor

import huggingface_hub.constants
import pytest
from filelock import FileLock

from penult.errors import CheckpointError, DownloadError, UsageError
from penult.hub import fetch, parse, resolve
from penult.hub.resuming import Part

from .conftest import CONFIG, FILES, LICENCE, NAME, WEIGHTS, both, info
from .server import commit_of, sha256

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


def test_a_cut_download_is_continued(hub, monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "DOWNLOAD_CHUNK_SIZE", 1000)
    commit = hub.publish(NAME, FILES)
    hub.cuts["model.safetensors"] = 2000
    told = []
    fetched = fetch(parse(NAME), progress=lambda done, total: told.append((done, total)))
    assert (fetched.folder / "model.safetensors").read_bytes() == WEIGHTS
    assert [each[2] for each in hub.seen[-2:]] == [None, "bytes=2000-"]
    assert hub.asked[-2:] == both("model.safetensors", commit)[1:] * 2
    assert told[0] == (1000, len(WEIGHTS))
    assert told[-1] == (len(WEIGHTS), len(WEIGHTS))


@pytest.fixture
def ended(hub, monkeypatch):
    """Begins to fetch, and is stopped by Ctrl-C when 3000 bytes of the weights have come."""
    monkeypatch.setattr(huggingface_hub.constants, "DOWNLOAD_CHUNK_SIZE", 1000)
    commit = hub.publish(NAME, FILES)

    def stop(done, total):
        if done > 3000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(parse(NAME), progress=stop)
    hub.asked.clear()
    hub.seen.clear()
    return commit


def _left(cache):
    """What is there of files that aren't whole."""
    return [*cache.glob("*/blobs/*.incomplete")]


def _requests_of_a_rest(commit):
    first, second = both("model.safetensors", commit)
    return [info(), first, second, first]


def test_a_download_that_was_stopped_goes_on_in_the_next_run(ended, hub, cache):
    (part,) = _left(cache)
    assert part.stat().st_size == 3000
    told = []
    fetched = fetch(parse(NAME), progress=lambda done, total: told.append((done, total)))
    assert (fetched.folder / "model.safetensors").read_bytes() == WEIGHTS
    assert hub.asked == _requests_of_a_rest(ended)
    assert hub.seen[2][2] == "bytes=3000-"
    assert (told[0], told[-1]) == ((4000, 6000), (6000, 6000))
    assert _left(cache) == []


def test_a_download_that_was_killed_goes_on_in_the_next_run(ended, hub, cache, monkeypatch):
    (part,) = _left(cache)
    part.rename(part.with_name(f"{part.stem}.12345678.incomplete"))  # as huggingface_hub calls it
    part.with_name(f"{part.stem}.87654321.incomplete").write_bytes(WEIGHTS[:100])  # another's
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    fetched = fetch(parse(NAME))
    assert (fetched.folder / "model.safetensors").read_bytes() == WEIGHTS
    assert hub.asked == _requests_of_a_rest(ended)
    assert hub.seen[2][1:] == (None, "bytes=3000-")  # the token is for the hub alone
    assert _left(cache) == []


def test_a_part_that_is_whole_needs_no_more_of_it(ended, hub, cache):
    (part,) = _left(cache)
    part.write_bytes(WEIGHTS)
    fetched = fetch(parse(NAME))
    assert (fetched.folder / "model.safetensors").read_bytes() == WEIGHTS
    assert hub.asked == [info(), both("model.safetensors", ended)[0]]


@pytest.mark.parametrize("content", [b"", b"x" * 6001])
def test_what_is_no_part_is_fetched_anew(content, ended, hub, cache):
    (part,) = _left(cache)
    part.write_bytes(content)
    fetch(parse(NAME))
    assert hub.asked == [info(), *both("model.safetensors", ended)]
    assert _left(cache) == []


def test_a_part_of_another_file_is_found_out(ended, hub, cache):
    (part,) = _left(cache)
    part.write_bytes(b"x" * 3000)
    with pytest.raises(DownloadError, match=r"model\.safetensors has .*, expected .*: try again"):
        fetch(parse(NAME))
    assert _left(cache) == []
    fetched = fetch(parse(NAME))
    assert (fetched.folder / "model.safetensors").read_bytes() == WEIGHTS


def test_a_part_that_another_process_is_fetching_is_left_alone(ended, hub, cache):
    (part,) = _left(cache)
    digest = sha256(WEIGHTS)
    (lock,) = cache.glob(f".locks/*/{digest}.lock")
    with FileLock(lock):
        found = Part(part.parent, lock.parent, digest, len(WEIGHTS))
        found.resume(parse(NAME), "model.safetensors", ended, object, 1)
    assert (_left(cache), hub.asked) == ([part], [])


def test_what_a_rest_brought_stays_when_it_is_cut(ended, hub, cache):
    (part,) = _left(cache)

    def stop(done, total):
        if done > 5000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(parse(NAME), progress=stop)
    assert part.read_bytes() == WEIGHTS[:5000]


def test_files_that_arrived_before_a_failure_are_not_fetched_again(hub):
    commit = hub.publish(NAME, FILES)
    hub.lies["model.safetensors"] = WEIGHTS[:-1] + b"!"
    with pytest.raises(DownloadError):
        fetch(parse(NAME))
    hub.asked.clear()
    hub.lies.clear()
    fetch(parse(NAME))
    assert hub.asked == [info(), *both("model.safetensors", commit)]


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


def test_a_hub_that_never_answers_is_given_up(hub, monkeypatch):
    monkeypatch.setattr("penult.hub.download.TIMEOUT", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", endpoint)
        with pytest.raises(DownloadError, match=r"can't be reached \(timed out\): try again"):
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
