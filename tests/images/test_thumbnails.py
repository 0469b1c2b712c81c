"""Pictures of bounded size, also of files that are gone, changed or hostile."""

from contextlib import closing
from io import BytesIO

import pytest
from PIL import Image

from penult.errors import ImageError
from penult.images import Limits
from penult.images.thumbnails import Thumbnails


@pytest.fixture(scope="module")
def thumbnails():
    with closing(Thumbnails(side=64, count=2)) as thumbnails:
        yield thumbnails


def saved(path, size=(200, 100), colour=(200, 30, 30), **options):
    Image.new("RGB", size, colour).save(path, **options)
    return str(path)


def opened(jpeg):
    return Image.open(BytesIO(jpeg), formats=["JPEG"])


def test_the_longer_side_is_bounded(thumbnails, tmp_path):
    assert opened(thumbnails.of(saved(tmp_path / "a.png"))).size == (64, 32)


def test_a_small_image_is_not_enlarged(thumbnails, tmp_path):
    assert opened(thumbnails.of(saved(tmp_path / "a.png", (7, 9)))).size == (7, 9)


def test_a_line_of_pixels_keeps_one(thumbnails, tmp_path):
    assert opened(thumbnails.of(saved(tmp_path / "a.png", (1000, 1)))).size == (64, 1)


def test_it_is_upright_and_without_metadata(thumbnails, tmp_path):
    exif = Image.Exif()
    exif[274], exif[270] = 6, "<script>alert(1)</script>"  # turned; a description
    path = saved(tmp_path / "a.jpg", exif=exif)
    jpeg = thumbnails.of(path)
    assert opened(jpeg).size == (32, 64)
    assert not opened(jpeg).getexif()
    assert b"script" not in jpeg


def test_colours_stay(thumbnails, tmp_path):
    red, green, blue = opened(thumbnails.of(saved(tmp_path / "a.png"))).getpixel((9, 9))
    assert (abs(red - 200) < 4, abs(green - 30) < 4, abs(blue - 30) < 4) == (True, True, True)


def test_bytes_give_a_picture_too(thumbnails, tmp_path):
    path = tmp_path / "a.png"
    saved(path)
    assert opened(thumbnails.made(path.read_bytes())).size == (64, 32)


def test_an_unchanged_file_is_decoded_once(thumbnails, tmp_path, monkeypatch):
    path = saved(tmp_path / "a.png")
    first = thumbnails.of(path)
    monkeypatch.setattr(thumbnails, "made", None)
    assert thumbnails.of(path) is first


def test_a_changed_file_is_decoded_again(thumbnails, tmp_path):
    path = saved(tmp_path / "a.png")
    before = thumbnails.of(path)
    saved(path, (100, 200))
    assert thumbnails.of(path) != before


def test_memory_holds_what_was_asked_for_last(tmp_path):
    paths = [saved(tmp_path / f"{i}.png", colour=(i, 0, 0)) for i in range(3)]
    with closing(Thumbnails(side=64, count=1, cache_bytes=1500)) as thumbnails:
        jpegs = [thumbnails.of(path) for path in paths]
        assert 500 < len(jpegs[0]) < 750, "room for two"
        assert thumbnails.of(paths[2]) is jpegs[2]
        assert thumbnails.of(paths[0]) is not jpegs[0]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (None, "unreadable"),
        (b"", "empty"),
        (b"<svg onload='alert(1)'>", "unsupported_format"),
        (b"<html><script>alert(1)</script>", "not_an_image"),
        (b"\x89PNG\r\n\x1a\n", "truncated"),
    ],
)
def test_what_gives_no_picture_says_why(thumbnails, tmp_path, content, code):
    path = tmp_path / "a.jpg"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ImageError) as found:
        thumbnails.of(str(path))
    assert found.value.code == code


def test_limits_are_those_of_the_pipeline(tmp_path):
    path = saved(tmp_path / "a.png")
    with (
        closing(Thumbnails(limits=Limits(pixels=100), count=1)) as thumbnails,
        pytest.raises(ImageError, match="too_large: 200 × 100 pixels, the limit is 100"),
    ):
        thumbnails.of(path)


def test_several_come_in_order_each_with_its_reason(thumbnails, tmp_path):
    paths = [saved(tmp_path / "a.png"), str(tmp_path / "gone.png"), saved(tmp_path / "b.png")]
    found = list(thumbnails.each(paths))
    assert [type(one) for one in found] == [bytes, ImageError, bytes]
    assert str(found[1]) == "unreadable: No such file or directory"
