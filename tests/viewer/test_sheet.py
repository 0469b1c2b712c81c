"""Contact sheets hold their pictures, and let no name of a file do anything."""

import base64
import hashlib
import re
from html.parser import HTMLParser
from io import BytesIO

import pytest
from PIL import Image

from penult.errors import StoreError, UsageError
from penult.viewer.sheet import Item, Section, Sheet, write_sheet


class Elements(HTMLParser):
    """All elements of a page with their attributes, and its text."""

    def __init__(self, page):
        super().__init__()
        self.elements, self.texts = [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.texts.append(data)


@pytest.fixture
def sheet(tmp_path):
    """Write sections, and return what was said and the page."""

    def write(*sections, **options):
        made = write_sheet(tmp_path / "s.html", "A <title>", sections, **options)
        return made, (tmp_path / "s.html").read_text("utf-8")

    return write


def test_pictures_are_small_copies_inside_the_page(sheet, photos, tmp_path):
    made, page = sheet(Section("Cats", [Item("cat.jpg", photos / "cat_kitten.jpg", "0.9", "keep")]))
    assert made == Sheet(tmp_path / "s.html", images=1, missing=0, left_out=0)
    (source,) = [attrs["src"] for tag, attrs in Elements(page).elements if tag == "img"]
    picture = Image.open(BytesIO(base64.b64decode(source.removeprefix("data:image/jpeg;base64,"))))
    assert max(picture.size) == 256
    assert {"Cats", "cat.jpg", "0.9", "keep"} <= set(Elements(page).texts)


def test_nothing_is_loaded_and_nothing_runs(sheet):
    _, page = sheet(Section("s", [Item("a", None)]))
    style = re.search("<style>(.*)</style>", page, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    elements = Elements(page).elements
    policy = next(attrs["content"] for _, attrs in elements if "http-equiv" in attrs)
    assert policy == (
        f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; "
        "base-uri 'none'; form-action 'none'"
    )
    assert not {"script", "link", "iframe", "form"} & {tag for tag, _ in elements}
    assert "url(" not in style
    assert "@import" not in style


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        ("<img src=x onerror=alert(1)>", "<img src=x onerror=alert(1)>"),
        ('"><script>alert(1)<!--', '"><script>alert(1)<!--'),
        ("two\nlines", r"two\nlines"),
        ("\u202egpj.exe", r"\u202egpj.exe"),
        ("a\udcff", r"a\udcff"),
    ],
)
def test_names_of_files_are_only_text(sheet, photos, key, shown):
    picture = photos / "cat_chelsea.jpg"
    _, expected = sheet(Section("s", [Item("a", picture, "a", "a")], "a"))
    _, page = sheet(Section(key, [Item(key, picture, key, key)], key))
    tags = [tag for tag, _ in Elements(expected).elements]
    assert [tag for tag, _ in Elements(page).elements if tag != "span"] == [
        tag for tag in tags if tag != "span"
    ] + ["bdi"] * ("/" in key)
    assert shown in "".join(Elements(page).texts)


def test_images_without_a_picture_say_why(sheet, tmp_path):
    (tmp_path / "text.jpg").write_text("no image")
    items = [
        Item("gone.jpg", tmp_path / "gone.jpg"),
        Item("text.jpg", tmp_path / "text.jpg"),
        Item("nowhere.jpg", None),
    ]
    made, page = sheet(Section("s", items))
    assert (made.images, made.missing) == (3, 3)
    assert str(made).endswith("s.html: 3 images, 3 of them without a picture")
    texts = Elements(page).texts
    assert "No such file or directory" in texts
    assert "begins with b'no image', as no image does" in texts
    assert "its file is unknown, or not the one that the features are of" in texts


def test_what_is_beyond_the_limit_is_counted(sheet):
    sections = [Section(name, [Item(f"{name}{i}", None) for i in range(3)]) for name in "abc"]
    made, page = sheet(*sections, limit=4)
    assert (made.images, made.left_out) == (4, 5)
    texts = Elements(page).texts
    assert "b0" in texts
    assert not {"b1", "c"} & set(texts)
    assert "4 of 9 images in 2 sections; 5 are left out" in texts
    assert "the first 1 of 3" in texts
    assert str(made).endswith("s.html: 4 of 9 images, 4 of them without a picture; 5 are left out")


def test_what_sections_leave_out_themselves_is_counted_too(sheet):
    made, page = sheet(Section("a", [Item("a0", None)], "1 of 7, evenly spread", left_out=6))
    assert made.left_out == 6
    assert "1 of 7 images in 1 section; 6 are left out" in Elements(page).texts


def test_other_suffixes_are_refused(tmp_path):
    with pytest.raises(UsageError, match=r"'photo.jpg': expected a sheet to end in .html"):
        write_sheet("photo.jpg", "t", [])


def test_an_older_sheet_stays_if_the_new_one_cannot_be_written(sheet, tmp_path, monkeypatch):
    sheet(Section("old", []))

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("penult.viewer.sheet._tile", full)
    with pytest.raises(StoreError, match=r"can't write '.*s.html': No space left on device"):
        sheet(Section("new", [Item("a", None)]))
    assert "old" in (tmp_path / "s.html").read_text("utf-8")
    assert [path.name for path in tmp_path.iterdir()] == ["s.html"]


def test_a_page_of_nothing_says_so(sheet):
    assert "<p>Nothing was found</p>" in sheet()[1]
