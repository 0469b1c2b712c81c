"""Buckets as sources: what is found, listed and read."""

from itertools import chain

import pytest
from archives import pack, tar

from penult.errors import ImageError, SourceError
from penult.images import find_images
from penult.images.containers import Share, holder_of, is_gone, item_at
from penult.images.objects import looked_at

from .conftest import SCHEMES, keys


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
