"""The box in the bar searches by words where the network has a text tower."""

import json
import shutil
from urllib.parse import urlsplit

import pytest

import penult
import tiny_clip
from penult.analysis import words
from penult.viewer.content import Content
from penult.viewer.routes import TEXT_BYTES

from .conftest import opened
from .test_server import _asked

PHOTOS = ["cat_chelsea.jpg", "cat_kitten.jpg", "rocket.jpg", "tripod.jpg"]
BOX, NAMES = "Search by words", "Filter by name"

pytestmark = pytest.mark.filterwarnings("ignore:.*nothing says how its input is made")


@pytest.fixture(scope="module")
def worded(photos, tmp_path_factory):
    """A server of a table that a small CLIP has made of four photos."""
    folder = tmp_path_factory.mktemp("worded")
    for name in PHOTOS:
        shutil.copy2(photos / name, folder)
    (folder / "empty.jpg").touch()
    weights = tiny_clip.write(folder / "clip.safetensors")
    with penult.load_model(tiny_clip.NAME, weights=weights) as model:
        features = penult.extract(
            [folder / name for name in (*PHOTOS, "empty.jpg")], model, out=folder / "t.lance"
        )
    with penult.view(features) as viewer:
        yield viewer, features


@pytest.fixture
def page(browser, worded):
    with opened(browser, worded[0].url) as page:
        page.get_by_label(BOX).wait_for()
        yield page


def _expected(worded, text, not_text=()):
    found = worded[1].search(text=text, not_text=not_text, k=4)
    return [match.key.rpartition("/")[2] for match in found]


def _names(page):
    return page.locator(".tile .name").all_text_contents()


def _wait_for(page, chip):
    page.locator(".chip", has_text=f"Like {chip}").wait_for()


def test_words_order_the_grid_as_they_are_typed(page, worded):
    page.keyboard.press("/")
    page.keyboard.type("a rocket -cats")
    _wait_for(page, "a rocket -cats")
    assert _names(page) == _expected(worded, "a rocket", "cats")
    assert page.get_by_label(BOX).evaluate("each => each === document.activeElement")
    assert page.locator(".chip img").count() == 0
    best = worded[1].search(text="a rocket", not_text="cats", k=1)[0].score
    assert page.locator(".tile .score").first.inner_text() == f"{best:.3f}"


TYPED = """(box, words) => {  // in no time, whatever else the machine has to do
  for (let end = 1; end <= words.length; end++) {
    box.value = words.slice(0, end);
    box.dispatchEvent(new InputEvent("input", { bubbles: true }));
  }
}"""


def test_one_search_is_made_of_many_keys(page):
    asked = []
    page.on(
        "request",
        lambda each: each.method == "POST" and "/text" in each.url and asked.append(each.post_data),
    )
    page.get_by_label(BOX).evaluate(TYPED, "two cats")
    _wait_for(page, "two cats")
    assert asked == ["two cats"]


def test_escape_takes_words_and_order_away(page):
    page.get_by_label(BOX).fill("cats")
    _wait_for(page, "cats")
    page.keyboard.press("Escape")
    page.wait_for_selector(".chip", state="detached")
    assert (_names(page), page.get_by_label(BOX).input_value()) == (PHOTOS, "")


def test_the_chip_ends_a_search_by_words(page):
    page.get_by_label(BOX).fill("cats")
    page.get_by_role("button", name="Remove: Like cats").click()
    assert (_names(page), page.get_by_label(BOX).input_value()) == (PHOTOS, "")


def test_an_image_takes_the_place_of_words(page):
    page.get_by_label(BOX).fill("cats")
    _wait_for(page, "cats")
    page.locator("#image-file").set_input_files(
        {"name": "x.png", "mimeType": "image/png", "buffer": _png()}
    )
    _wait_for(page, "x.png")
    assert page.get_by_label(BOX).input_value() == ""


def _png():
    from io import BytesIO

    from PIL import Image

    Image.new("RGB", (40, 40), "red").save(made := BytesIO(), "PNG")
    return made.getvalue()


def test_names_are_filtered_still(page):
    page.get_by_label(BOX).fill("cat")
    _wait_for(page, "cat")
    page.get_by_label("What the box is for").select_option("Name")
    page.get_by_text("2 of 4 images", exact=True).wait_for()
    assert page.locator(".chip").count() == 0
    page.get_by_label(NAMES).fill("rocket")
    assert _names(page) == ["rocket.jpg"]


def test_words_are_searched_for_among_what_filters_leave(page, worded):
    page.get_by_label("Width: from").fill("1")
    page.get_by_label(BOX).fill("cats")
    _wait_for(page, "cats")
    left = set(_expected(worded, "cats")) & {*_names(page)}
    assert 0 < len(left) < 4
    assert _names(page) == [name for name in _expected(worded, "cats") if name in left]


def test_the_last_queries_are_offered_again(page):
    for query in ("cats", "a rocket", "cats"):
        page.get_by_label(BOX).fill(query)
        page.keyboard.press("Enter")
        _wait_for(page, query)
    offered = page.locator("#recent option").evaluate_all("all => all.map((each) => each.value)")
    assert offered == ["cats", "a rocket"]
    page.reload()
    page.get_by_label(BOX).wait_for()
    assert page.locator("#recent option").count() == 2


def test_what_is_found_is_shown_instead_of_failures(page):
    page.get_by_role("tab", name="Failures").click()
    page.get_by_label(BOX).press_sequentially("cats", delay=20)
    _wait_for(page, "cats")
    page.locator("#grid .tile").first.wait_for()
    page.get_by_label(BOX).press_sequentially(" and dogs")
    _wait_for(page, "cats and dogs")


def test_what_is_refused_is_said(page):
    page.get_by_label(BOX).fill("-cats")
    page.get_by_text("-cats: say first what is wanted, then what isn't: beach -people").wait_for()


def test_many_words_leave_room_for_what_is_said(page):
    assert page.get_by_label(BOX).get_attribute("maxlength") == "1000"
    page.get_by_label(BOX).fill("-" + "c" * 900)
    said = page.get_by_text("say first what is wanted")
    said.wait_for()
    assert said.inner_text().startswith(f"-{'c' * 98}…: say first")


def test_a_phone_has_room_for_the_box(browser, worded):
    with opened(browser, worded[0].url, viewport={"width": 390, "height": 780}) as page:
        page.get_by_label(BOX).fill("a cat on a sofa")
        _wait_for(page, "a cat on a sofa")
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        assert page.get_by_label(BOX).bounding_box()["width"] > 300


def test_without_a_text_tower_names_are_filtered(photo_page):
    photo_page.wait_for_selector("#words[title]")
    assert photo_page.locator("#find-by").is_hidden()
    assert photo_page.get_by_label(NAMES).get_attribute("title").startswith("Only names can be")
    photo_page.get_by_label(NAMES).fill("a red bicycle")
    said = photo_page.locator("#only-names")
    assert "'efficientnet_lite0' made it; extract with one of images and words" in said.inner_text()
    photo_page.get_by_text("Clear them").click()
    assert said.is_hidden()


def test_the_tower_is_loaded_once_and_why_it_isnt_is_told(worded, monkeypatch):
    loaded = []
    read = words.read_tower
    monkeypatch.setattr(words, "read_tower", lambda *known: loaded.append(1) or read(*known))
    content = Content(penult.open(worded[1].path))
    assert content.words() == {"without": ""}
    content.text(b"cats")
    content.text("a beach \u2212people".encode())
    assert loaded == [1]
    content.close()
    gone = Content(penult.open(worded[1].path), weights="gone.safetensors")
    assert "'gone.safetensors': no such file" in gone.words()["without"]
    gone.close()


def test_words_come_from_the_page_and_within_limits(worded):
    parts = urlsplit(worded[0].url)
    first = _asked(parts.port, "GET", f"/?{parts.query}", {})
    cookie = {"Cookie": first.headers["Set-Cookie"].partition(";")[0]}
    ours = cookie | {"Origin": f"http://{parts.netloc}"}

    def ask(headers, body):
        return _asked(parts.port, "POST", "/text", headers, body)

    assert set(json.loads(ask(ours, b"cats").data)) == {"vector"}
    assert ask(cookie, b"cats").status == 403
    assert ask(ours | {"Origin": "http://evil.example"}, b"cats").status == 403
    assert ask(ours, b"x" * (TEXT_BYTES + 1)).status == 413
    for body, said in ((b"", b"say first what is wanted"), (b"a\0b", b"has a NUL character")):
        refused = ask(ours, body)
        assert (refused.status, said in refused.data) == (422, True)
    assert ask(ours, b"\xff\xfe").status == 200
