import os

import pytest

from penult.images import names
from penult.images.names import as_key, from_key


@pytest.mark.parametrize("name", ["a.jpg", "cats/ä €.png", "100%.gif", "a\nb.jpg", "été/😀.webp"])
def test_an_ordinary_name_is_its_own_key(name):
    assert as_key(name) == name


def test_a_key_can_be_stored_and_leads_back_to_the_name():
    name = os.fsdecode(bytes(range(1, 256)).replace(b"/", b""))
    key = as_key(name)
    key.encode("utf-8")
    assert from_key(key) == name


def test_names_that_look_like_an_escape_keep_their_own_key():
    odd_byte, spelled_out = os.fsdecode(b"\xff.jpg"), r"\udcff.jpg"
    assert as_key(odd_byte) == r"\udcff.jpg"
    assert as_key(spelled_out) == r"\\udcff.jpg"
    assert from_key(as_key(odd_byte)) == odd_byte
    assert from_key(as_key(spelled_out)) == spelled_out


def test_keys_are_the_same_in_any_locale(monkeypatch):
    data = "caf\u00e9".encode() + b"\xff.jpg"
    expected = as_key(os.fsdecode(data))
    monkeypatch.setattr(names, "_IS_UTF8", False)
    monkeypatch.setattr(os, "fsencode", lambda text: text.encode("latin-1"))
    monkeypatch.setattr(os, "fsdecode", lambda data: data.decode("latin-1"))
    assert as_key(data.decode("latin-1")) == expected
    assert from_key(expected) == data.decode("latin-1")
