"""What may go wrong with buckets and their objects, and that no secret is told."""

import traceback

import pytest
from bucket import SECRETS

from penult.errors import ImageError, SourceError
from penult.images import find_images, object_stores, store

from .conftest import SCHEMES, keys

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
