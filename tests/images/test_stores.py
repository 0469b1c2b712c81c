"""Addresses, the libraries and profiles that open them, and what fsspec reads."""

import traceback

import fsspec
import pytest
from archives import tar
from bucket import SECRETS

from penult.errors import ImageError, MissingExtraError, SourceError, UsageError
from penult.images import find_images
from penult.images.addresses import named, without_secrets
from penult.images.containers import is_gone, item_at

from .conftest import OBJECTS, keys


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("s3://key:hidden@b/a.jpg", "'s3://…@b/a.jpg' has a password or key in it"),
        ("gs://hidden@b/a.jpg", "'gs://…@b/a.jpg' has a password or key in it"),
        ("sftp://me:hidden@host/a.jpg", "'sftp://…@host/a.jpg' has a password or key in it"),
        ("s3://b/a.jpg?X-Amz-Signature=hidden", "'s3://b/a.jpg?…' goes on with ?…=: name the obje"),
        ("https://host/a.jpg", "'https://host/a.jpg' is a web address: download it"),
        ("file:///tmp/a.jpg", "'file:///tmp/a.jpg': name the path alone, without file://"),
        ("s3://bad name/a.jpg", "'s3://bad name/a.jpg': expected a bucket's name after s3://"),
        ("s3:///a.jpg", "'s3:///a.jpg': expected a bucket's name after s3://"),
        ("zip://a.jpg::s3://b/s.zip", "'zip://a.jpg::s3://b/s.zip': chains of addresses aren't"),
        ("nothing://b/a.jpg", "addresses of 'nothing' aren't known: expected s3://, gs://, az://"),
    ],
)
def test_addresses_that_are_none(address, expected, tmp_path):
    (tmp_path / "list").write_text(address)
    for source in ({"sources": address}, {"from_file": tmp_path / "list"}):
        with pytest.raises((SourceError, UsageError)) as caught:
            keys(**source)
        assert expected in str(caught.value)
        assert "hidden" not in str(caught.value)


def test_an_address_keeps_what_is_no_secret():
    assert str(named("S3://b/a@b/c?d.jpg")) == "s3://b/a@b/c?d.jpg"
    assert without_secrets("s3://b/a@b/c?d.jpg") == "s3://b/a@b/c?d.jpg"
    assert (
        str(named("hf://datasets/owner/name@main/a.jpg")) == "hf://datasets/owner/name@main/a.jpg"
    )


def test_the_library_is_named_where_it_is_missing(bucket, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "obstore", None)
    monkeypatch.setenv("AWS_REGION", "eu-west-9")  # another store than before
    with pytest.raises(MissingExtraError, match=r"s3:// needs .*: pip install 'penult\[cloud\]'$"):
        find_images("s3://b/top.jpg")
    with pytest.raises(UsageError, match=r"sftp:// needs more: .*paramiko"):
        find_images("sftp://host/a.jpg")
    monkeypatch.setitem(__import__("sys").modules, "fsspec", None)
    with pytest.raises(UsageError, match=r"ftp:// needs fsspec: pip install fsspec$"):
        find_images("ftp://host/a.jpg")
    with pytest.raises(MissingExtraError, match=r"hf:// needs .*: pip install 'penult\[hub\]'$"):
        find_images("hf://datasets/owner/name")


@pytest.fixture
def memory():
    files = fsspec.filesystem("memory")
    files.store.clear()
    for name, data in OBJECTS.items():
        if not name.endswith("/"):
            files.pipe(f"/b/{name}", data)
    yield files
    files.store.clear()
    files.pseudo_dirs[:] = [""]


def test_fsspec_reads_what_else_is_named(memory):
    assert keys("memory://b/p") == ["memory://b/p/a.jpg", "memory://b/p/b/c.PNG"]
    assert keys("memory://b/odd/*.jpg")[0] == r"memory://b/odd/a b#c?d=e%20f\\g.jpg"
    [item] = find_images("memory://b/p/a.jpg")
    [listed, _] = find_images("memory://b/p")
    assert item.version() == listed.version() == item_at(item.place).version()
    assert item.read(99) == b"a" * 10
    memory.pipe("/b/p/a.jpg", b"b" * 11)
    with pytest.raises(ImageError, match="longer than was listed"):
        item.read(99)
    assert item_at(item.place).version() != item.version()
    memory.rm("/b/p/a.jpg")
    with pytest.raises(ImageError, match="unreadable: there is no such file"):
        item.read(99)
    assert is_gone(item.place)


def test_fsspec_reads_archives(memory, tmp_path):
    path = tar(tmp_path / "s.tar", [("a.jpg", b"one"), ("b.jpg", b"two")])
    memory.pipe("/b/s.tar", path.read_bytes())
    items = [*find_images("memory://b/s.tar")]
    assert [item.image.read(9) for item in items] == [b"one", b"two"]


def test_profiles_of_aws_are_read_where_the_environment_says_nothing(bucket, monkeypatch, tmp_path):
    for name in (*SECRETS, "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name)
    (tmp_path / "config").write_text(
        f"[profile mine]\nregion = eu-central-7\nservices = own\n\n[services own]\ns3 =\n"
        f"  endpoint_url = {bucket.url}\n"
    )
    (tmp_path / "credentials").write_text(
        "[mine]\naws_access_key_id = KEY\naws_secret_access_key = hidden\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_PROFILE", "mine")
    assert keys("s3://b/top.jpg") == ["s3://b/top.jpg"]
    assert "/eu-central-7/" in bucket.signed[-1]
    assert "Credential=KEY/" in bucket.signed[-1]
    monkeypatch.setenv("AWS_PROFILE", "none")
    with pytest.raises(SourceError, match=r"^AWS has no profile 'none' \(AWS_PROFILE\)"):
        find_images("s3://b/top.jpg")


def test_profiles_without_keys_are_refused_with_the_remedy(bucket, monkeypatch, tmp_path):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    (tmp_path / "config").write_text("[default]\nsso_session = mine\n")
    with pytest.raises(SourceError, match="'default' of AWS holds no keys itself: first run eval"):
        find_images("s3://b/top.jpg")
    (tmp_path / "credentials").write_text("hidden\n")
    with pytest.raises(SourceError, match=r"can't be read .*: Missing") as caught:
        find_images("s3://b/top.jpg")
    assert "hidden" not in "".join(traceback.format_exception(caught.value))
    assert caught.value.__context__ is None
