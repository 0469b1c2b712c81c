"""No bucket or host is contacted for a table's rows that nobody has named."""

import pytest

from penult.errors import ImageError, SourceError, UsageError
from penult.images import stores
from penult.images.containers import holder_of, is_gone, item_at
from penult.images.stores import allow_remote, refusal

from .conftest import keys


@pytest.mark.parametrize(
    "place",
    ["s3://other/a.jpg", "S3://other/s.tar#a.jpg", "gs://b2/a.jpg", "az://b2/s.parquet#0",
     "hf://other/a/b.jpg", "sftp://host/a.jpg", "http://host/a.jpg", "memory://other/a.jpg"],
)  # fmt: skip
def test_a_place_is_not_contacted_whose_bucket_was_not_named(place, bucket):
    with pytest.raises((OSError, ImageError), match=r"contacted only if you|web address"):
        item_at(place)
    assert not is_gone(place)
    assert holder_of(place) is None
    assert bucket.asked == []


def test_a_bucket_is_named_as_a_source_or_on_its_own(bucket, monkeypatch):
    monkeypatch.setattr(stores, "_allowed", set())
    keys("s3://b/p")
    assert item_at("s3://b/top.jpg").version()
    with pytest.raises(PermissionError, match="--remote gs://b "):
        item_at("gs://b/top.jpg")
    allow_remote("gs://b/p/", "sftp://me@host:22")
    assert item_at("gs://b/top.jpg").version()
    assert refusal("sftp://me@host:22/a.jpg") == ""
    assert refusal("sftp://me@host/a.jpg") != ""


@pytest.mark.parametrize(
    ("address", "error", "message"),
    [
        ("photos", UsageError, "'photos' isn't an address: expected one such as s3://bucket"),
        ("https://host", SourceError, "is a web address"),
        ("s3://k:hidden@b", SourceError, "has a password or key in it"),
    ],
)
def test_what_is_no_bucket_cannot_be_named(address, error, message):
    with pytest.raises(error, match=message):
        allow_remote(address)


def test_a_message_has_nothing_to_paste_that_a_shell_takes_otherwise():
    assert "--remote ADDRESS" in refusal("sftp://$(reboot)/a.jpg")
    assert "--remote sftp://me@host:22 " in refusal("sftp://me@host:22/a.jpg")
