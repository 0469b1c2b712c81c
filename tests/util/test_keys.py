"""Lists of keys: one a line, whatever is in a key, from Penult or from hand."""

import io
import sys
from types import SimpleNamespace

import pytest

from penult.errors import MissingKeyError, SourceError, UsageError
from penult.util.keys import as_line, asked_for

ODD = [
    "plain.jpg",
    "two\nlines.jpg",
    "end\r",
    "\u2028sep\x85.jpg",
    "back\\slash",
    "a\\\\nb",
    r"caf\udce9.jpg",
    " spaced ",
    "t.tar#a#b.jpg",
    "-",
]


def found(keys, there):
    return asked_for(keys).found(lambda names: [name in there for name in names], "the table")


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\0"])
def test_odd_keys_survive_a_list(tmp_path, ends):
    file = tmp_path / "keys.txt"
    file.write_bytes("".join(as_line(key) + ends for key in ODD).encode())
    assert found(file, {*ODD}) == ODD


def test_what_is_written_by_hand_is_taken_as_it_stands(tmp_path):
    file = tmp_path / "keys.txt"
    file.write_text("caf\\udce9.jpg\nback\\slash\n\n\\next\n", "utf-8")
    there = ["caf\\udce9.jpg", "back\\slash", "\\next"]
    assert found(str(file), {*there}) == there


def test_what_a_line_means_when_it_is_read_comes_first(tmp_path):
    file = tmp_path / "keys.txt"
    file.write_text(r"a\\b", "utf-8")
    assert found(file, {r"a\\b", r"a\b"}) == [r"a\b"]


def test_bytes_that_are_no_text_are_keys_as_tables_have_them(tmp_path):
    file = tmp_path / "keys.txt"
    file.write_bytes(b"caf\xe9.jpg\n")
    assert found(file, {"caf\\udce9.jpg"}) == ["caf\\udce9.jpg"]


def test_a_key_counts_once():
    assert found(["b", "a", "b"], {"a", "b"}) == ["b", "a"]


def test_standard_input_is_a_list_too(monkeypatch):
    stdin = SimpleNamespace(buffer=io.BufferedReader(io.BytesIO(b"a\nb\n")))
    monkeypatch.setattr(sys, "stdin", stdin)
    assert found("-", {"a", "b"}) == ["a", "b"]


def test_keys_that_are_lacking_are_counted_and_the_first_is_named(tmp_path):
    file = tmp_path / "keys.txt"
    file.write_text("a\nx\ny\n")
    with pytest.raises(MissingKeyError) as caught:
        found(file, {"a"})
    assert str(caught.value).startswith("the table lacks 2 of the 3 keys in '")
    assert str(caught.value).endswith("keys.txt', the first is 'x'")


@pytest.mark.parametrize(
    ("keys", "error", "message"),
    [
        ([], UsageError, "there are no keys in keys: give one a line"),
        (["a", 1], UsageError, "'1' is no key: keys are texts"),
        (
            "a.jpg",
            SourceError,
            "can't read keys in 'a.jpg': No such file or directory; keys themselves are given as",
        ),
    ],
)
def test_wrong_use(keys, error, message):
    with pytest.raises(error, match=message):
        asked_for(keys)


def test_an_empty_list_and_utf_16_are_told(tmp_path):
    empty, wide = tmp_path / "empty.txt", tmp_path / "wide.txt"
    empty.touch()
    wide.write_text("a.jpg\n", "utf-16")
    with pytest.raises(UsageError, match=r"there are no keys in '.*empty.txt': give one"):
        asked_for(empty)
    with pytest.raises(SourceError, match=r"wide.txt' is UTF-16: save it as UTF-8"):
        asked_for(wide)
