"""The page in a browser: pictures come, the keyboard works, and keys stay text."""

import csv
import shutil
from base64 import b64encode
from contextlib import contextmanager
from itertools import product

import numpy as np
import pytest

import penult
from penult.store import FeatureTable, Row

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
    page.get_by_text("1 of 8 images", exact=True).wait_for()


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


RUN = "document.title='run'"
CLOSED = ["", '"', "'", "-->", "</title>", "</style>", "</script>", "</textarea>", '">', "'>"]
OPENED = [
    f"<script>{RUN}</script>",
    f"<script src=data:,{RUN}>",
    f"<img src=x onerror={RUN}>",
    f"<svg onload={RUN}>",
    f"<iframe srcdoc='<script>parent.{RUN}</script>'>",
    f"<details open ontoggle={RUN}>",
    f"<style onload={RUN}>@import 'data:,'",
    f"<a href=javascript:{RUN} autofocus onfocus={RUN}>",
    f" onmouseover={RUN} style=animation:x onanimationstart={RUN} ",
    f"javascript:{RUN}//${{{RUN}}}{{{{{RUN}}}}}",
]
HOSTILE = [f"{number:03}/{a}{b}" for number, (a, b) in enumerate(product(CLOSED, OPENED))]


@pytest.fixture
def hostile(browser, tmp_path):
    with FeatureTable.open_or_create(
        tmp_path / "t.lance", {"pool": (2,)}, {"network": HOSTILE[2]}
    ) as table:
        vector = np.ones(2, np.float32)
        table.append([Row(key, 1, 1, width=1, height=1, vectors={"pool": vector})
                      for key in HOSTILE])  # fmt: skip
        table.append([Row(f"x{key}", 1, 1, error=f"damaged: {key}") for key in HOSTILE])
        keys = sorted(HOSTILE)
        places = np.linspace(-1, 1, len(keys), dtype=np.float32)
        table.annotate(keys, {"x": places, "y": places, "label": [key[4:] for key in keys]})
    with penult.view(tmp_path / "t.lance") as viewer, _opened(browser, viewer.url) as page:
        yield page


def test_a_hundred_hostile_keys_stay_text(hostile):
    assert len(set(HOSTILE)) == 100
    page = hostile
    page.locator("#size").fill("80")
    page.wait_for_selector(".tile >> nth=50", state="attached")
    labels = [tile.get_attribute("aria-label") for tile in page.locator(".tile").all()]
    assert set(labels) <= set(HOSTILE)
    more = page.get_by_role("button", name="Show all ")
    while more.count():
        more.first.click()
    page.locator(".tile").first.click()
    page.wait_for_selector("#detail .near button >> nth=11")
    page.keyboard.press("s")
    page.wait_for_selector(".tile .score")
    page.keyboard.press("m")
    page.mouse.move(760, 430)
    page.keyboard.press("f")
    rows = page.locator("#failures tbody tr td:first-child").all_text_contents()
    assert rows == [f"x{key}" for key in sorted(HOSTILE)]
    page.wait_for_timeout(200)
    assert page.title() == "t.lance – penult"
    assert page.locator("script").count() == 1
    assert page.locator("iframe, style, a, details, [onload], [onerror]").count() == 0
