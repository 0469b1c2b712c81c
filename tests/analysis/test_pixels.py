"""Whether two files show the same picture, whatever their features say."""

from contextlib import closing
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageEnhance, ImageOps

from penult.analysis.pixels import DIFFERENT, SAME, UNREAD, Pictures
from penult.extraction.backlog import look
from penult.images import ImageFile

PICTURES = Path(__file__).parent / "pictures"


@pytest.fixture
def compare(make_table, tmp_path):
    """Compares two images by their files."""

    def compare(one, other, **options):
        facts = {}
        for key, image in {"a": one, "b": other}.items():
            path = tmp_path / f"{key}.{options.get('kind', 'png')}"
            image.save(path, **options.get(key, {}))
            facts[key] = asdict(look(ImageFile(key, str(path))).file)
        with closing(Pictures(make_table({"a": [1, 0], "b": [1, 0]}, facts=facts))) as pictures:
            [found] = pictures.compare(np.array([0]), np.array([1]))
        return int(found)

    return compare


def opened(name):
    with Image.open(PICTURES / name) as image:
        image.load()
        return image


def glyph(letter, ground, ink):
    image = Image.new("RGBA", (96, 96), ground)
    ImageDraw.Draw(image).text((48, 48), letter, ink, anchor="mm", font_size=64)
    return image


def halved(image):
    return image.resize((image.width // 2, image.height // 2), Image.Resampling.LANCZOS)


def cut(image):
    x, y = image.width // 20, image.height // 20
    return image.crop((x, y, image.width - x, image.height - y))


def brighter(image):
    return ImageEnhance.Brightness(image).enhance(1.25)


@pytest.mark.parametrize("pair", [(0, 1), (0, 2), (1, 2)])
def test_pages_of_other_text_differ(compare, pair):
    one, other = (opened(f"page{number}.png").convert("RGB") for number in pair)
    assert compare(one, other) == DIFFERENT
    assert compare(one, halved(other)) == DIFFERENT


@pytest.mark.parametrize("alter", [halved, cut, brighter])
def test_a_copy_of_a_page_is_the_same(compare, alter):
    page = opened("page0.png").convert("RGB")
    assert compare(page, alter(page)) == SAME


def test_white_shapes_on_transparency_differ(compare):
    names = ("ellipse", "line", "polygon")
    shapes = [opened(f"white_{name}_on_transparency.png") for name in names]
    for place, one in enumerate(shapes):
        for other in shapes[place + 1 :]:
            assert compare(one, other) == DIFFERENT
        assert compare(one, halved(one)) == SAME


def test_a_white_shape_is_not_a_black_one_nor_nothing(compare):
    white = glyph("A", (0, 0, 0, 0), "white")
    assert compare(white, glyph("A", (0, 0, 0, 0), "black")) == DIFFERENT
    assert compare(white, Image.new("RGBA", (96, 96), (0, 0, 0, 0))) == DIFFERENT
    assert compare(white, Image.new("RGB", (96, 96), "white")) == DIFFERENT


@pytest.mark.parametrize("letters", ["CO", "OQ", "EF", "CG", "PR", "db"])
@pytest.mark.parametrize("ground", [(0, 0, 0, 0), (255, 255, 255, 255)])
def test_letters_that_share_most_strokes_differ(compare, letters, ground):
    one, other = (glyph(letter, ground, "black") for letter in letters)
    assert compare(one, other) == DIFFERENT
    assert compare(one, halved(one)) == SAME


def test_an_arrow_to_the_other_side_differs(compare):
    arrow = glyph("<", "white", "black")
    assert compare(arrow, ImageOps.mirror(arrow)) == DIFFERENT


@pytest.mark.parametrize("letters", ["CD", "Xr", "f*"])
def test_strong_compression_does_not_make_a_mark_of_a_letter(compare, letters):
    icons = []
    for letter in letters:
        icon = Image.new("RGBA", (96, 96), (0, 0, 0, 0))
        ImageDraw.Draw(icon).ellipse((4, 4, 92, 92), "#1e50a0")
        icon.alpha_composite(glyph(letter, (0, 0, 0, 0), "white"))
        icons.append(icon)
    assert compare(*icons, kind="webp", a={"quality": 30}, b={"quality": 30}) == DIFFERENT


def test_the_same_letter_in_another_colour_differs(compare):
    red, green = (glyph("A", "white", ink) for ink in ((220, 40, 40), (40, 133, 40)))
    assert compare(red, green) == DIFFERENT
    assert compare(red, red.convert("L").convert("RGB")) == DIFFERENT


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("black", "white", DIFFERENT),
        ("black", "black", SAME),
        ("#606060", "#646464", SAME),
        ("#606060", "#909090", DIFFERENT),
        ("#d02020", "#2020d0", DIFFERENT),
    ],
)
def test_plain_images_are_told_by_their_level(compare, one, other, expected):
    images = [Image.new("RGB", (40, 30), colour) for colour in (one, other)]
    assert compare(*images) == expected


@pytest.mark.parametrize("alter", [halved, cut, brighter, ImageOps.mirror])
def test_a_copy_of_a_photo_is_the_same(compare, photos, alter):
    with Image.open(photos / "castle_bavaria.jpg") as photo:
        assert compare(photo, alter(photo), kind="jpg", b={"quality": 30}) == SAME


def test_another_photo_and_the_negative_differ(compare, photos):
    with (
        Image.open(photos / "castle_bavaria.jpg") as one,
        Image.open(photos / "castle_chambord.jpg") as other,
    ):
        assert compare(one, other, kind="jpg") == DIFFERENT
        assert compare(one, ImageOps.invert(one), kind="jpg") == DIFFERENT


def test_what_is_gone_or_broken_is_unread(make_table, tmp_path):
    (tmp_path / "a.png").write_bytes((PICTURES / "page0.png").read_bytes())
    (tmp_path / "b.png").write_bytes(b"no picture")
    facts = {
        key: asdict(look(ImageFile(key, str(tmp_path / key))).file) for key in ("a.png", "b.png")
    }
    facts["c.png"] = {"path": str(tmp_path / "gone.png")}
    features = make_table({key: [1, 0] for key in ("a.png", "b.png", "c.png")}, facts=facts)
    with closing(Pictures(features)) as pictures:
        found = pictures.compare(np.array([0, 0, 1, 0]), np.array([1, 2, 2, 0]))
        assert found.tolist() == [UNREAD, UNREAD, UNREAD, SAME]
        assert pictures.unread == 2
