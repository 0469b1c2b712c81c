"""Buckets as sources: what is found, what may go wrong, and that no secret is told."""

import threading
import traceback
from concurrent.futures import CancelledError, ThreadPoolExecutor
from itertools import chain

import fsspec
import pytest
from archives import pack, tar
from bucket import SECRETS, served

from penult.errors import ImageError, MissingExtraError, SourceError, UsageError
from penult.images import find_images, object_stores, store, stores
from penult.images.addresses import named, without_secrets
from penult.images.ahead import ReadAhead
from penult.images.containers import Share, holder_of, is_gone, item_at
from penult.images.items import Stored, Version
from penult.images.objects import looked_at
from penult.images.stores import allow_remote, refusal

SCHEMES = ["s3", "gs", "az"]
OBJECTS = {
    "p/a.jpg": b"a" * 10,
    "p/b/c.PNG": b"c" * 20,
    "p/b/.hidden.jpg": b"",
    "p/.git/d.jpg": b"",
    "p/notes.txt": b"n",
    "p/b/": b"",
    "pp/e.jpg": b"e",
    "odd/a b#c?d=e%20f\\g.jpg": b"odd",
    "odd/x.tar#1.jpg": b"one",
    "top.jpg": b"top",
}


@pytest.fixture
def bucket(monkeypatch):
    monkeypatch.setattr(object_stores, "RETRIES", 1)
    monkeypatch.setattr(object_stores, "STALL", "700ms")
    monkeypatch.setattr(stores, "_allowed", {(scheme, "b") for scheme in SCHEMES})
    with served(OBJECTS, monkeypatch) as bucket:
        yield bucket


def keys(*args, **kwargs):
    return [item.key for item in find_images(*args, **kwargs)]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_prefix_is_listed_as_a_folder_is(scheme, bucket):
    expected = [f"{scheme}://b/p/a.jpg", f"{scheme}://b/p/b/c.PNG"]
    assert keys(f"{scheme}://b/p/") == keys(f"{scheme}://b/p") == expected
    assert keys(f"{scheme}://b")[-1] == f"{scheme}://b/top.jpg"


@pytest.mark.parametrize("scheme", SCHEMES)
def test_odd_names_are_found_and_read(scheme, bucket):
    found = list(find_images(f"{scheme}://b/odd"))
    assert [item.key for item in found] == [
        f"{scheme}://b/odd/a b#c?d=e%20f\\\\g.jpg",
        rf"{scheme}://b/odd/x.tar\#1.jpg",
    ]
    assert [item.read(99) for item in found] == [b"odd", b"one"]
    assert [item_at(item.place).read(99) for item in found] == [b"odd", b"one"]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_version_is_size_and_etag_in_a_list_as_at_a_look(scheme, bucket):
    [item] = find_images(f"{scheme}://b/top.jpg")
    [listed, *_] = [i for i in find_images(f"{scheme}://b") if i.key == item.key]
    assert listed.version() == item.version() == item_at(item.place).version()
    assert item.version().bytes == 3
    bucket.objects["top.jpg"] = b"new"
    assert item_at(item.place).version() != item.version()
    with pytest.raises(ImageError, match="was written to since it was listed"):
        item.read(99)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_lists_of_many_pages_are_whole(scheme, bucket):
    bucket.objects = {f"p/{n:05}.jpg": b"" for n in range(2500)}
    assert len(keys(f"{scheme}://b/p")) == 2500


def test_a_list_goes_on_while_its_first_images_are_used(bucket):
    bucket.objects = {f"p/{n:05}.jpg": b"" for n in range(5000)}
    images = iter(find_images("s3://b/p"))
    next(images)
    assert len(bucket.asked) < 5


def test_patterns_and_numbers_are_those_of_paths(bucket):
    bucket.objects |= {f"s-{n:02}.jpg": b"x" for n in range(3)}
    every = [f"s3://b/s-{n:02}.jpg" for n in range(3)]
    assert keys("s3://b/s-*.jpg") == keys("s3://b/s-{00..02}.jpg") == every
    assert keys("s3://b/p/*/*") == keys("s3://b/**/*.PNG") == ["s3://b/p/b/c.PNG"]
    assert keys("s3://b/p/?.jpg") == ["s3://b/p/a.jpg"]
    with pytest.raises(SourceError, match="nothing matches 's3://b/x-"):
        find_images("s3://b/x-*.jpg")


def test_what_is_not_there_is_said_at_once(bucket):
    with pytest.raises(
        SourceError, match=r"no object, nor images in 's3://b/none': .*a pattern \(s3://b/none/\*"
    ):
        find_images("s3://b/none")
    with pytest.raises(SourceError, match=r"can't read 's3://b/none.tar': there is no such object"):
        find_images("s3://b/none.tar")


def test_sources_mix_and_an_object_is_taken_once(bucket, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "local.jpg").write_bytes(b"")
    (tmp_path / "list.txt").write_text("s3://b/top.jpg\nlocal.jpg\ngs://b/p/a.jpg\n")
    found = keys(["s3://b/p", "local.jpg", "s3://b/p/*.jpg"], from_file="list.txt")
    assert found == [
        *("s3://b/p/a.jpg", "s3://b/p/b/c.PNG", "local.jpg", "s3://b/top.jpg", "gs://b/p/a.jpg")
    ]


def test_what_a_list_names_is_looked_at_many_at_a_time(bucket):
    bucket.objects = {f"{n}.jpg": b"x" for n in range(200)}
    bucket.delay = 0.02
    items = [*looked_at(["a.jpg", *(f"s3://b/{n}.jpg" for n in range(201))])]
    assert len([item for item in items if item.version]) == 200
    assert items[0] == ("a.jpg", None)
    assert {method for method, *_ in bucket.asked} == {"HEAD"}


def test_shards_share_the_objects(bucket):
    bucket.objects = {f"{n}.jpg": b"x" for n in range(100)}
    parts = [keys("s3://b", share=Share(n, 3)) for n in (1, 2, 3)]
    assert sorted(chain(*parts)) == keys("s3://b")
    assert all(parts)


@pytest.mark.parametrize("kind", ["s.tar", "s.tar.gz", "s.zip"])
def test_archives_are_read_where_they_are(kind, bucket, tmp_path):
    files = {f"{n}/{n}.jpg": bytes([n]) * 5000 for n in range(30)}
    path = pack(tmp_path / kind, files)
    bucket.objects = {kind: path.read_bytes(), "other.tar": path.read_bytes()[:1000]}
    items = [*find_images(f"s3://b/{kind}")]
    assert [item.key for item in items] == [f"s3://b/{kind}#{name}" for name in files]
    assert [item.image.read(9999) for item in items] == [*files.values()]
    assert item_at(items[7].place).image.read(9999) == files["7/7.jpg"]
    assert len({request for request in bucket.asked if request[0] == "HEAD"}) == 1
    assert not is_gone(items[7].place)
    assert is_gone(f"s3://b/{kind}#8/7.jpg")
    bucket.objects[kind] += b"\0"
    if kind == "s.tar.gz":
        return  # what is passed over on the way to another image is kept
    with pytest.raises(ImageError, match="changed"):
        items[3].container.read(3, 9999)


def test_of_a_plain_archive_only_what_is_wanted_is_fetched(bucket, tmp_path):
    large = tar(tmp_path / "s.tar", [(f"{n}.jpg", bytes(5 << 20)) for n in range(3)])
    bucket.objects = {"s.tar": large.read_bytes()}
    items = [*find_images("s3://b/s.tar")]
    asked = {each for each in bucket.asked if each[0] == "GET"}
    assert len(asked) == 5  # its first bytes, and two mebibytes at each header
    items[1].image.read(9 << 20)
    assert bucket.asked[-1] == ("GET", "s.tar", f"bytes={(5 << 20) + 1024}-{(10 << 20) + 1023}")


def test_a_lance_table_in_a_bucket_is_refused(bucket):
    with pytest.raises(SourceError, match=r"Lance aren't read from buckets"):
        find_images("s3://b/t.lance")


TROUBLES = {
    "denied": (("status", (403, "AccessDenied")), "unreadable: access denied (403 AccessDenied)"),
    "gone": (("status", (404, "NoSuchKey")), "unreadable: there is no such object"),
    "busy": (("status", (503, "SlowDown")), "unreadable: the server is busy (503 SlowDown), sev"),
    "slow": (("stall", 60), "unreadable: no answer in time"),
    "more": (("size", 5), "changed: the object was written to since"),
    "other": (("etag", "another"), "changed: the object was written to since"),
    "odd": (("status", (418, "Teapot")), "unreadable: the server answered 418 Teapot"),
}


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("trouble", TROUBLES)
def test_trouble_with_an_object_is_its_own(trouble, scheme, bucket):
    [item] = find_images(f"{scheme}://b/top.jpg")
    bucket.troubles["top.jpg"], expected = [TROUBLES[trouble][0]], TROUBLES[trouble][1]
    with pytest.raises(ImageError) as caught:
        item.read(99)
    assert str(caught.value).startswith(expected)
    bucket.troubles.clear()
    assert item.read(99) == b"top"


@pytest.mark.parametrize("trouble", [("status", (503, "SlowDown")), ("stall", 60), ("cut", 1)])
def test_what_passes_is_tried_again(trouble, bucket):
    [item] = find_images("s3://b/top.jpg")
    bucket.troubles["top.jpg"] = [trouble, ("well", None)]
    assert item.read(99) == b"top"


REFUSALS = {
    "ExpiredToken": (400, "refuses the credentials (400 ExpiredToken): renew them, see docs"),
    "InvalidAccessKeyId": (403, "refuses the credentials (403 InvalidAccessKeyId)"),
    "NoSuchBucket": (404, "isn't there (404 NoSuchBucket): check its name"),
    "PermanentRedirect": (301, "is in another region: set AWS_REGION to it"),
    "Any": (401, "refuses the credentials (401 Any)"),
}


@pytest.mark.parametrize("code", REFUSALS)
def test_what_all_objects_have_ends_the_run(code, bucket):
    [item] = find_images("s3://b/top.jpg")
    status, expected = REFUSALS[code]
    bucket.refusal = (status, code)
    for request in (lambda: item.read(99), lambda: keys("s3://b")):
        with pytest.raises(SourceError) as caught:
            request()
        assert str(caught.value).startswith(f"'s3://b' {expected}")


def test_a_list_that_is_denied_says_so(bucket):
    bucket.troubles["?list"] = [("status", (403, "AccessDenied"))]
    with pytest.raises(SourceError, match=r"^can't list 's3://b/p/': access denied \(403"):
        find_images("s3://b/p/")


def test_a_list_that_breaks_off_ends_the_run(bucket):
    bucket.objects = {f"p/{n:05}.jpg": b"" for n in range(2500)}
    bucket.troubles["?list"] = [("well", None), ("status", (403, "AccessDenied"))]
    images = iter(find_images("s3://b/p"))
    with pytest.raises(SourceError, match="can't list 's3://b/p/'"):
        list(images)


def test_a_server_that_never_answers_again_ends_the_run(bucket, monkeypatch):
    monkeypatch.setattr(object_stores, "RETRIES", 0)
    bucket.objects = {f"{n:02}.jpg": b"x" for n in range(40)}
    items = [*find_images("s3://b")]
    bucket.refusal = (503, "SlowDown")
    for item in items[: store.PATIENCE - 1]:
        with pytest.raises(ImageError):
            item.read(9)
    with pytest.raises(SourceError, match=r"'s3://b' has stopped answering .*run again to cont"):
        items[20].read(9)
    bucket.refusal = None
    assert items[21].read(9) == b"x"
    bucket.refusal = (503, "SlowDown")
    with pytest.raises(ImageError):
        items[22].read(9)


def test_a_server_that_is_not_there_is_one_line(bucket, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(SourceError, match=r"^can't connect to 's3://b': check the network"):
        find_images("s3://b/p")


def test_names_that_obstore_cannot_read_are_said(bucket):
    bucket.objects["p//x.jpg"] = b""
    with pytest.raises(SourceError, match=r"such as 'p//x.jpg'; name folders without such"):
        keys("s3://b/p")
    assert keys("s3://b/p/b") == ["s3://b/p/b/c.PNG"]


def test_of_more_bytes_than_allowed_none_is_fetched(bucket):
    [item] = find_images("s3://b/p/a.jpg")
    bucket.asked.clear()
    with pytest.raises(ImageError, match="too_large: 10 bytes, the limit is 9"):
        item.read(9)
    assert bucket.asked == []


def test_what_is_gone_is_known_to_be(bucket):
    assert is_gone("s3://b/none.jpg")
    assert not is_gone("s3://b/top.jpg")
    assert holder_of("s3://b/none.tar#a.jpg") is None
    with pytest.raises(FileNotFoundError):
        item_at("s3://b/none.jpg")
    bucket.troubles["top.jpg"] = [("status", (403, "AccessDenied"))]
    assert not is_gone("s3://b/top.jpg")


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


def test_no_secret_is_in_an_error(bucket, monkeypatch):
    secrets = [*SECRETS.values(), "userinfo-secret"]
    said = []
    monkeypatch.setenv("AWS_ENDPOINT_URL", bucket.url.replace("//", "//name:userinfo-secret@"))
    [item] = find_images("s3://b/top.jpg")
    for trouble in (
        *(("status", (status, "SignatureDoesNotMatch")) for status in (400, 403, 404, 500)),
        *(("status", (status, "Any")) for status in (301, 400, 401, 403, 404, 412, 416, 429, 503)),
        *(("stall", 60), ("size", 9)),
    ):
        bucket.troubles = {"top.jpg": [trouble], "?list": [trouble]}
        for request in (lambda: item.read(99), lambda: keys("s3://b")):
            try:
                request()
            except (SourceError, ImageError) as error:
                said.append("".join(traceback.format_exception(error)))
                while error := error.__cause__ or error.__context__:
                    said.append(str(error))
    assert len(said) > 20
    assert not [text for text in said for secret in secrets if secret in text]


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


class _Image(Stored):
    __slots__ = ("ahead", "number", "size")
    place, is_far = "", True

    def __init__(self, number, size, ahead):
        self.number, self.size, self.ahead = number, size, ahead

    def version(self):
        return Version(self.size, 0)

    def read(self, max_bytes):
        self.ahead.append(self.number)
        return bytes(4)


def test_reading_ahead_is_bounded_in_number_and_bytes(monkeypatch):
    for size, most in ((1, 64), (1 << 20, 64), (40 << 20, 1)):
        begun = []
        ahead = ReadAhead(99)
        images = [*ahead.over(_Image(n, size, begun) for n in range(100))]
        ahead._threads.submit(int).result()
        while len(begun) < most:
            pass
        assert len(begun) == most
        assert [image.read(9) for image in images] == [bytes(4)] * 100
        assert sorted(begun) == [*range(100)]
        ahead.close()


def test_what_is_not_begun_is_fetched_when_it_is_wanted():
    begun = []
    ahead = ReadAhead(99)
    images = [*ahead.over(_Image(n, 40 << 20, begun) for n in range(4))]
    assert images[2].read(9) == bytes(4)
    assert sorted(begun) == [0, 2]
    assert images[0].read(9) == images[1].read(9) == bytes(4)
    assert begun.count(2) == 1
    ahead.close()


class _Stalled(_Image):
    __slots__ = ()

    def read(self, max_bytes):
        self.ahead.wait()
        return b""


def test_who_waits_is_told_of_the_end():
    answered = threading.Event()
    ahead = ReadAhead(99)
    images = [*ahead.over(_Stalled(n, 1, answered) for n in range(99))]
    with ThreadPoolExecutor(2) as threads:
        waiting = threads.submit(images[0].read, 9)
        while not waiting.running():
            pass
        ahead.close()
        with pytest.raises(CancelledError):
            waiting.result(timeout=10)
    with pytest.raises(CancelledError):
        images[98].read(9)
    answered.set()
