"""What `extract` calls a table."""

import pytest

from penult.table.extract import table_name


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("../photos/", "photos.lance"),
        (".", "photos.lance"),
        ("hens.jpg", "hens.lance"),
        ("*.jpg", "features.lance"),
    ],
)
def test_a_table_is_named_after_the_first_source(photos, monkeypatch, source, name):
    monkeypatch.chdir(photos)
    assert str(table_name([source])) == name


def test_a_table_of_a_list_has_a_plain_name():
    assert str(table_name([], "-")) == "features.lance"
