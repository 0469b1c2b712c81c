"""The page in a browser: pictures come, the keyboard works, and keys stay text."""

import shutil

import pytest

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
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.troubles = []
    page.on("pageerror", lambda error: page.troubles.append(str(error)))
    page.goto(viewer.url)
    page.wait_for_selector("body.ready", state="attached")
    yield page
    assert page.troubles == []
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
