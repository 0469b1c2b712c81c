"""A list of keys goes from command to command."""

import json

import pandas as pd
import pytest

from .test_commands import folder

__all__ = ["folder"]


@pytest.fixture
def table(run, folder):
    """Features of three photos, one with a line break in its name."""
    (folder / "koala.jpg").rename(folder / "ko\nala.jpg")
    assert run("extract", "few", "-o", "t.lance").returncode == 0
    return folder


def test_what_one_command_prints_another_takes(run, table):
    printed = run("sample", "t.lance", "-n", "3", "--where", "key < 'm'").stdout
    assert printed == "espresso.jpg\nko\\nala.jpg\n"
    result = run("export", "t.lance", "some.csv", "--keys", "-", stdin=printed)
    assert (result.returncode, result.stderr) == (0, "penult: some.csv: 2 images\n")
    frame = pd.read_csv(table.parent / "some.csv")
    assert frame["key"].tolist() == ["espresso.jpg", "ko\nala.jpg"]
    assert frame["path"].tolist() == [str(table / key) for key in frame["key"]]


def test_a_search_and_a_sample_stay_among_the_keys(run, table, tmp_path):
    (tmp_path / "keys.txt").write_text("tripod.jpg\r\nko\\nala.jpg\r\n")
    found = run("search", "t.lance", "espresso.jpg", "--keys", "keys.txt", "--json")
    assert sorted(each["key"] for each in json.loads(found.stdout)) == ["ko\nala.jpg", "tripod.jpg"]
    chosen = run("sample", "t.lance", "--keys", "keys.txt", "--json", "--diverse")
    assert sorted(json.loads(chosen.stdout)) == ["ko\nala.jpg", "tripod.jpg"]


def test_extract_takes_the_images_of_a_list(run, table):
    lines = "ko\\nala.jpg\ntripod.jpg\n"
    result = run("extract", "few", "-o", "some.lance", "--keys", "-", "--json", stdin=lines)
    assert json.loads(result.stdout)["ok"] == 2
    assert json.loads(run("sample", "some.lance", "--json").stdout) == ["ko\nala.jpg", "tripod.jpg"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["export", "t.lance", "f.npz"], "'t.lance' lacks 2 of the 3 keys in standard input, the"),
        (["search", "t.lance", "tripod.jpg"], "the first is 'x.jpg'"),
        (["sample", "t.lance"], "lacks 2 of the 3 keys"),
        (["extract", "few", "-o", "u.lance"], "the source lacks 2 of the 3 keys in standard input"),
        (["extract", "few", "--prune"], "leave out prune, or keys"),
        (["extract", "few", "--shard", "1/2"], "split the list of keys"),
        (["extract", "--from-file", "-"], "standard input has either keys or paths"),
    ],
)
def test_what_cannot_be_done_is_one_line(run, table, tmp_path, arguments, message):
    result = run(*arguments, "--keys", "-", stdin="tripod.jpg\nx.jpg\ny.jpg\n")
    assert result.returncode == 2
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
    assert not list(tmp_path.glob("[fu].*"))
