"""The map in a browser: what hands do on it, and what it says where there is none."""

import math
from time import monotonic

import pytest

from .conftest import KEYS, opened

PICTURE = "#pictures img[src='/1/thumb/{}']"  # a row's picture


@pytest.fixture
def map_page(page):
    page.keyboard.press("m")
    page.wait_for_selector("#pictures img.loaded >> nth=5")
    return page


@pytest.fixture
def touched(browser, viewer):
    """The map on a phone, and what puts fingers on it."""
    phone = {"viewport": {"width": 390, "height": 844}, "has_touch": True}
    with opened(browser, viewer.url, **phone) as page:
        page.get_by_role("tab", name="Map").tap()
        page.wait_for_selector("#pictures img.loaded >> nth=3")
        session = page.context.new_cdp_session(page)

        def touch(kind, *fingers):
            points = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(fingers)]
            session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

        yield page, touch


def middle(page, row):
    """Where a row's picture is."""
    box = page.locator(PICTURE.format(row)).bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_a_drag_moves_the_map(map_page):
    x, y = middle(map_page, 1)
    map_page.mouse.move(640, 650)
    map_page.mouse.down()
    map_page.mouse.move(700, 620, steps=5)
    map_page.mouse.up()
    assert middle(map_page, 1) == pytest.approx((x + 60, y - 30), abs=1)
    assert map_page.locator("#detail[open]").count() == 0


def test_the_wheel_zooms_about_the_mouse(map_page):
    x, y = middle(map_page, 1)
    before = math.dist(middle(map_page, 0), (x, y))
    map_page.mouse.move(x, y)
    map_page.mouse.wheel(0, -250)
    map_page.wait_for_timeout(100)
    assert middle(map_page, 1) == pytest.approx((x, y), abs=1)
    apart = math.dist(middle(map_page, 0), (x, y))
    assert apart / before == pytest.approx(math.exp(250 * 0.0016), rel=0.02)


def test_keys_move_and_zoom_the_map(map_page):
    x, y = middle(map_page, 1)
    map_page.keyboard.press("ArrowRight")
    map_page.wait_for_timeout(100)
    assert middle(map_page, 1) == pytest.approx((x - 60, y), abs=1)
    map_page.keyboard.press("+")
    map_page.keyboard.press("0")
    map_page.wait_for_timeout(100)
    assert middle(map_page, 1) == pytest.approx((x, y), abs=1)


def test_a_click_opens_the_image_under_the_mouse(map_page):
    map_page.mouse.click(*middle(map_page, 4))
    assert "5 of 8" in map_page.locator("#detail header").inner_text()


def test_the_image_under_the_mouse_is_named(map_page):
    map_page.mouse.move(*middle(map_page, 0))
    map_page.wait_for_selector("#tip.seen")
    assert map_page.locator("#tip span").inner_text() == sorted(KEYS)[0]


def test_a_finger_moves_the_map(touched):
    page, touch = touched
    x, y = middle(page, 1)
    touch("touchStart", (200, 600))
    touch("touchMove", (215, 590))
    touch("touchMove", (230, 560))
    touch("touchEnd")
    page.wait_for_timeout(100)
    assert middle(page, 1) == pytest.approx((x + 30, y - 40), abs=1)


def test_two_fingers_zoom_the_map_about_the_middle_between_them(touched):
    page, touch = touched
    x, y = middle(page, 1)
    before = math.dist(middle(page, 3), (x, y))
    touch("touchStart", (x - 40, y), (x + 40, y))
    touch("touchMove", (x - 50, y), (x + 50, y))
    touch("touchMove", (x - 80, y), (x + 80, y))
    touch("touchEnd")
    page.wait_for_timeout(100)
    assert middle(page, 1) == pytest.approx((x, y), abs=1)
    assert math.dist(middle(page, 3), (x, y)) == pytest.approx(2 * before, rel=0.02)
    assert page.locator("#detail[open]").count() == 0


def lasso(page, *corners):
    page.mouse.move(*corners[0])
    page.mouse.down()
    for corner in corners[1:]:
        page.mouse.move(*corner, steps=4)
    page.mouse.up()


def test_a_lasso_selects_what_is_within(map_page):
    map_page.keyboard.press("l")
    lasso(map_page, (240, 100), (1270, 100), (1270, 790), (240, 790))
    assert map_page.locator("#selection b").inner_text() == "8 selected"


def test_a_lasso_with_alt_unselects(map_page):
    map_page.keyboard.press("Control+a")
    map_page.keyboard.press("l")
    x, y = middle(map_page, 0)
    map_page.keyboard.down("Alt")
    lasso(map_page, (x - 20, y - 20), (x + 20, y - 20), (x + 20, y + 20), (x - 20, y + 20))
    map_page.keyboard.up("Alt")
    assert map_page.locator("#selection b").inner_text() == "7 selected"


def test_escape_ends_the_lasso_before_the_selection(map_page):
    map_page.keyboard.press("Control+a")
    map_page.keyboard.press("l")
    button = map_page.locator("#use-lasso")
    assert button.get_attribute("aria-pressed") == "true"
    map_page.keyboard.press("Escape")
    assert button.get_attribute("aria-pressed") == "false"
    assert map_page.locator("#selection b").inner_text() == "8 selected"


def test_dots_have_the_colours_of_clusters_and_noise_has_its_name(map_page):
    assert map_page.locator("#colour").input_value() == "cluster"
    assert map_page.locator("#legend li").all_inner_texts() == ["0", "1", "2"]
    name = map_page.evaluate("""async () => (await import("/dom.js")).groupName("cluster", -1)""")
    assert name == "noise"


PACE = """async () => {
    const { Pace } = await import("/map/pace.js");
    let now = 0;
    performance.now = () => now;
    const pace = new Pace(500_000);
    const wait = (milliseconds) => {
        pace.hurry();
        now += milliseconds;
        return pace.next();
    };
    const resting = pace.next();
    const slow = Array.from({ length: 20 }, () => wait(100));
    const quick = Array.from({ length: 40 }, () => wait(10));
    return [resting, slow[0], slow.at(-1), quick.at(-1)];
}"""


def test_slow_frames_have_fewer_dots_while_the_map_moves(page):
    assert page.evaluate(PACE) == [500_000, 22_500, 10_000, 500_000]


def test_without_a_map_the_command_that_makes_one_is_named(made):
    with made(rows=3, placed=0) as page:
        page.keyboard.press("m")
        text = page.locator("#map").inner_text()
        assert page.locator("#map-tools").is_hidden()
    assert "penult map 'it'\\''s a table.lance' makes one" in text


def test_images_that_came_after_the_map_are_counted(made):
    with made(rows=5, placed=3) as page:
        page.keyboard.press("m")
        assert "2 images without a place" in page.locator("#map-tools").inner_text()


LOSE = """async () => {
    const canvas = document.querySelector("#points");
    const context = canvas.getContext("webgl2").getExtension("WEBGL_lose_context");
    const restored = new Promise((done) => canvas.addEventListener("webglcontextrestored", done));
    context.loseContext();
    setTimeout(() => context.restoreContext(), 50);
    await restored;
}"""


def test_the_map_is_drawn_again_when_the_browser_has_lost_it(map_page):
    map_page.get_by_role("checkbox", name="Pictures").uncheck()
    map_page.wait_for_selector("#pictures img", state="detached")
    drawn = map_page.screenshot()
    map_page.evaluate(LOSE)
    deadline = monotonic() + 30  # seconds, on a busy machine
    while map_page.screenshot() != drawn:
        assert monotonic() < deadline
