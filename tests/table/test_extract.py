"""Where `extract` stores a table."""

import pytest

import penult
from penult.errors import UsageError
from penult.table.extract import table_name


def test_a_table_is_not_an_export(model, photos):
    message = "extract to vgg.lance, then export it to vgg.parquet"
    with pytest.raises(UsageError, match=message):
        penult.extract(photos, model, out="vgg.parquet")


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
