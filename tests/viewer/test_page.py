"""The page in a browser: pictures come, the keyboard works, and keys stay text."""

import csv
import shutil
from base64 import b64encode
from contextlib import contextmanager

import pytest

from .conftest import KEYS

playwright = pytest.importorskip("playwright.sync_api", reason="playwright isn't installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
OPTIONS = ["--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking",
           "--disable-component-update", "--disable-sync", "--use-gl=angle",
           "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]  # fmt: skip

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="there is no Chromium")


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser, viewer):
    with _opened(browser, viewer.url) as page:
        yield page


@pytest.fixture
def photo_page(browser, photographed):
    with _opened(browser, photographed.url) as page:
        yield page


@contextmanager
def _opened(browser, address):
    """A page, of which no script may fail, no dialog open, and nothing be blocked."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    troubles = []
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("dialog", lambda dialog: (troubles.append(dialog.message), dialog.dismiss()))
    page.on("console", lambda line: "Security" in line.text and troubles.append(line.text))
    page.goto(address)
    page.wait_for_selector("body.ready", state="attached")
    yield page
    assert troubles == []
    context.close()


def test_the_token_leaves_the_address(page):
    assert "token" not in page.url


def test_pictures_come_and_missing_ones_say_so(page):
    page.wait_for_selector(".tile.loaded >> nth=5")
    assert page.locator(".tile.broken").count() == 2


def test_keys_are_text(page):
    page.wait_for_selector(".tile.broken")
    page.get_by_role("tab", name="Failures").click()
    assert page.locator("#failures td").first.inner_text() == "c/<b>failed</b>.png"
    assert page.locator("script").count() == 1
    assert page.title() == "t.lance – penult"
    assert page.locator(".tile b, .tile u, .tile i, #failures td script").count() == 0


def test_turned_and_broken_names_are_written_out(page):
    names = page.locator(".tile .name").all_text_contents()
    assert {"new\\u000aline.png", "\\u202egnp.exe.png"} <= set(names)


def test_words_filter_names(page):
    page.keyboard.press("/")
    page.keyboard.type("B/ PLAIN")
    page.wait_for_function("document.querySelector('#count').textContent === '1 of 8 images'")


def test_values_filter(page):
    page.get_by_label("<u>1</u>").check()
    assert page.locator("#count").inner_text() == "4 of 8 images"


def test_enter_shows_an_image_and_what_is_near(page):
    page.keyboard.press("Enter")
    page.wait_for_selector("#detail .near img")
    page.keyboard.press("ArrowRight")
    assert "2 of 8" in page.locator("#detail header").inner_text()
    page.keyboard.press("Escape")
    assert page.locator("#detail[open]").count() == 0


def test_selected_keys_are_exported(page):
    page.keyboard.press("Control+a")
    assert page.locator("#selection b").inner_text() == "8 selected"
    with page.expect_download() as found:
        page.get_by_role("button", name="Keys .txt").click()
    lines = found.value.path().read_text("utf-8").splitlines()
    assert found.value.suggested_filename == "t-selected.txt"
    assert "b/plain.png" in lines
    assert len(lines) == 8


def test_the_map_selects_by_lasso(page):
    page.keyboard.press("m")
    page.keyboard.press("l")
    page.mouse.move(240, 100)
    page.mouse.down()
    for x, y in ((1270, 100), (1270, 790), (240, 790)):
        page.mouse.move(x, y, steps=4)
    page.mouse.up()
    assert page.locator("#selection b").inner_text() == "8 selected"


DROP = """encoded => {
    const bytes = Uint8Array.from(atob(encoded), (each) => each.charCodeAt(0));
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(new File([bytes], "dropped.jpg"));
    document.body.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true }));
}"""


def test_a_dropped_image_orders_the_grid_by_likeness(photo_page, photos):
    photo_page.evaluate(DROP, b64encode((photos / "cat_chelsea.jpg").read_bytes()).decode())
    photo_page.wait_for_selector(".tile .score")
    names = photo_page.locator(".tile .name").all_text_contents()
    assert names[:2] == ["cat_chelsea.jpg", "cat_kitten.jpg"]
    assert "Like dropped.jpg" in photo_page.locator("#chips").inner_text()


def test_nearest_images_are_shown_in_the_grid(photo_page):
    photo_page.keyboard.press("Enter")
    photo_page.get_by_role("button", name="Show nearest in the grid").click()
    photo_page.wait_for_selector(".tile .score")
    assert photo_page.locator(".tile .name").first.text_content() == "cat_kitten.jpg"
    photo_page.keyboard.press("Escape")
    assert photo_page.locator(".tile").count() == 4


def test_selected_rows_are_exported_as_a_table(page):
    page.keyboard.press("Control+a")
    with page.expect_download() as found:
        page.get_by_role("button", name="Table .csv").click()
    with found.value.path().open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["key"] for row in rows] == sorted(KEYS)
    assert [row["label"] for row in rows] == ["<u>0</u>", "<u>1</u>"] * 4
    assert [row["width"] for row in rows] == [str(60 + 10 * number) for number in range(8)]
