"""What came of a download before it was cut, stopped or killed is not fetched again."""

import huggingface_hub.constants
import pytest
from filelock import FileLock

from penult.errors import DownloadError
from penult.hub import fetch, parse
from penult.hub.resuming import Part

from .conftest import FILES, LICENCE, NAME, WEIGHTS, both, info
from .server import sha256

pytestmark = LICENCE


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
