"""What is a name on the hub, and what isn't."""

import pytest

from penult.hub.names import SHORT, RepositoryName, parse
from penult.nets import ours

COMMIT = "3d74acf9a28c67741b2f4f2ea7635f0aaf6f0268"


@pytest.mark.parametrize(
    ("name", "owner", "rest", "revision"),
    [
        ("openai/clip-vit-base-patch32", "openai", "clip-vit-base-patch32", "main"),
        ("timm/mobilenetv3_small_100.lamb_in1k", "timm", "mobilenetv3_small_100.lamb_in1k", "main"),
        ("a/b@v1.0", "a", "b", "v1.0"),
        ("a/b@refs/pr/7", "a", "b", "refs/pr/7"),
        (f"OFA-Sys/x@{COMMIT}", "OFA-Sys", "x", COMMIT),
    ],
)
def test_names_are_taken_apart(name, owner, rest, revision):
    found = parse(name)
    assert found == RepositoryName(owner, rest, revision)
    assert str(found) == name
    assert found.is_pinned is (revision == COMMIT)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "inception_v3",
        "a/b/c",
        "/a/b",
        "../a/b",
        "./a",
        "a/.b",
        "-a/b",
        "a/b-",
        "a/b.",
        "a--b/c",
        "a/b--c",
        "a/b..c",
        "a/b.git",
        "a/b@",
        "a/b@-x",
        "a/b@x..y",
        "a/b@x//y",
        "a/b@refs/.x",
        "a/b@x/",
        "a/b@x.lock",
        "a/b@x y",
        "a/b@x@y",
        "a/b\n",
        "a/b\x00",
        "a/ü",
        "a\\b",
        "C:/models",
        "a/b?c",
        "a/" + "b" * 95,
        "a/b@" + "c" * 129,
        "weights/model.safetensors",
        "weights/MODEL.PTH",
    ],
)
def test_other_names_are_not_of_the_hub(name):
    assert parse(name) is None


def test_the_longest_name_is_one():
    assert parse("a/" + "b" * 94) == RepositoryName("a", "b" * 94)


@pytest.mark.parametrize("name", ["openai/clip", "openai/clip@v1"])
def test_what_is_here_is_a_path(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert parse(name)
    (tmp_path / name).mkdir(parents=True)
    assert parse(name) is None


def test_what_may_not_be_looked_into_is_no_error(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "openai").mkdir(mode=0)
    assert parse("openai/clip")
    (tmp_path / "openai").chmod(0o700)
    (tmp_path / "openai/clip").symlink_to("nowhere")
    assert parse("openai/clip") is None


@pytest.mark.parametrize(("short", "name"), SHORT.items())
def test_short_names_stand_for_names_and_for_nothing_else(short, name):
    assert str(parse(name)) == name
    assert short not in {spec.name for spec in ours()}
    assert parse(short) is None
