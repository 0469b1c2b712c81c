"""The page in a browser: pictures come, the keyboard works, and keys stay text."""

import csv
from base64 import b64encode

import numpy as np
import pytest

import penult
from penult.store import Row, TableWriter

from .conftest import KEYS, opened


def test_the_token_leaves_the_address(page):
    assert "token" not in page.url


def test_pictures_come_and_missing_ones_say_so(page):
    page.wait_for_selector(".tile.loaded >> nth=5")
    assert page.locator(".tile.broken").count() == 2


def test_pictures_in_a_bucket_that_nobody_has_named_are_told_of(browser, tmp_path):
    vectors = {"pool": np.ones(2, np.float32)}
    with TableWriter.open_or_create(tmp_path / "t.lance", {"pool": (2,)}, {}) as table:
        table.append(
            Row(place, 1, 1, place, width=4, height=3, vectors=vectors)
            for place in ("s3://photos/<b>a</b>.jpg", "s3://photos/b.tar#c.jpg")
        )
    with penult.view(tmp_path / "t.lance") as viewer, opened(browser, viewer.url) as page:
        assert page.locator("#out-of-reach").inner_text() == (
            "out of reach: 2 images in 's3://photos', which is contacted only if you name it: "
            "--remote s3://photos (in Python: allow_remote)"
        )
        page.wait_for_selector(".tile.broken >> nth=1")
        page.locator(".tile").first.click()
        why = page.locator("#detail figcaption")
        why.wait_for()
        assert why.inner_text().startswith("unreadable: it is in 's3://photos', which is contacted")


def test_a_page_whose_pictures_are_here_has_no_such_line(page):
    assert page.locator("#out-of-reach").is_hidden()


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


def test_escape_takes_the_words_away_and_leaves_the_selection(page):
    page.keyboard.press("Control+a")
    page.get_by_label("Filter by name").fill("plain")
    page.keyboard.press("Escape")
    assert page.get_by_label("Filter by name").input_value() == ""
    assert page.locator("#count").inner_text() == "8 images"
    page.keyboard.press("Escape")
    page.keyboard.press("Space")
    assert page.locator("#selection b").inner_text() == "7 selected"


def test_values_filter(page):
    page.get_by_label("<u>1</u>").check()
    assert page.locator("#count").inner_text() == "4 of 8 images"


def test_one_of_many_values_is_found_by_its_words(made):
    with made(rows=1500, label=[f"class {number % 300}" for number in range(1500)]) as page:
        page.get_by_label("Find in Label").fill("CLASS 27")
        assert page.locator("#filters .item").count() == 11
        page.get_by_label("class 271").check()
        page.get_by_label("Find in Label").fill("")
        assert page.get_by_label("class 271").is_checked()
        assert page.locator("#count").inner_text() == "5 of 1,500 images"


def test_what_is_different_in_most_rows_is_no_group(made):
    with made(rows=1500, label=[f"image {number % 400}" for number in range(1500)]) as page:
        assert page.locator("#filters .item").count() == 0


def test_a_range_filters(page):
    page.get_by_label("Width: from").fill("20")
    page.get_by_text("4 of 8 images", exact=True).wait_for()
    assert shown(page)[0] == "\\u202egnp.exe.png"


def test_a_folder_filters_and_there_is_a_way_back(page):
    page.locator("#filters").get_by_role("button", name="b 3").click()
    assert page.locator("#count").inner_text() == "3 of 8 images"
    page.locator("#filters").get_by_role("button", name="All", exact=True).click()
    assert page.locator("#count").inner_text() == "8 images"


def test_no_image_is_left_until_the_filters_are_cleared(page):
    page.get_by_label("Filter by name").fill("nowhere")
    page.get_by_role("button", name="Clear them").click()
    assert page.locator("#count").inner_text() == "8 images"


def test_the_order_is_chosen(page):
    page.get_by_label("Sort").select_option("Width ↓")
    assert shown(page)[0] == "plain.png"
    page.get_by_label("Sort").select_option("Name")
    assert shown(page)[-1] == "plain.png"


def shown(page):
    return page.locator(".tile .name").all_text_contents()


def test_failures_have_reasons_and_are_filtered_by_name(page):
    page.keyboard.press("f")
    assert "1 image gave no features: 1 damaged." in page.locator("#failures").inner_text()
    assert "<script>document.title=1</script>" in page.locator("#failures td").last.inner_text()
    page.get_by_label("Filter by name").fill("plain")
    page.wait_for_selector("#failures td", state="detached")


def test_a_table_without_images_says_so(made):
    with made(rows=0) as page:
        assert page.get_by_text("No image of this table has features yet.").is_visible()


def test_arrows_go_from_image_to_image_and_shift_selects(page):
    for key in ("ArrowRight", "Shift+ArrowRight", "Shift+End"):
        page.keyboard.press(key)
    assert page.locator("#selection b").inner_text() == "7 selected"
    page.keyboard.press("Home")
    page.keyboard.press("Space")
    assert page.locator("#selection b").inner_text() == "8 selected"
    page.keyboard.press("Escape")
    assert page.locator("#selection").is_hidden()


def test_the_circle_of_the_image_that_has_the_focus_selects_it(page):
    page.keyboard.press("ArrowRight")
    page.locator("#tile-1 .circle").click()
    assert page.locator("#selection b").inner_text() == "1 selected"
    assert page.locator("#detail[open]").count() == 0


def test_keys_go_to_the_images_after_a_click_beside_them(page):
    page.locator("h1").click()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    assert page.locator("#tile-1").get_attribute("aria-selected") == "true"


def test_the_selection_hides_nothing_of_the_last_line(made):
    with made(rows=200) as page:
        page.keyboard.press("Control+a")
        page.locator("#scroller").evaluate("each => each.scrollTop = each.scrollHeight")
        last = page.locator("#tile-199").bounding_box()
        assert last["y"] + last["height"] < page.locator("#selection").bounding_box()["y"]


def test_the_selected_alone_are_shown(page):
    page.keyboard.press("Space")
    page.get_by_role("button", name="Show only these").click()
    assert page.locator("#count").inner_text() == "1 of 8 images"
    page.get_by_role("button", name="Remove: 1 selected image").click()
    assert page.locator("#count").inner_text() == "8 images"


def test_dark_and_light_are_chosen(page):
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    page.keyboard.press("t")
    assert page.evaluate(ground) != light
    page.reload()
    page.wait_for_selector("body.ready")
    assert page.evaluate(ground) != light


@pytest.fixture
def phone(browser, viewer):
    with opened(browser, viewer.url, viewport={"width": 390, "height": 844}) as page:
        yield page


def test_a_phone_has_filters_at_hand_and_nothing_beside_the_screen(phone):
    assert phone.locator("#filters").is_hidden()
    phone.get_by_role("button", name="Filters").click()
    phone.get_by_label("<u>1</u>").check()
    phone.get_by_role("button", name="Done").click()
    assert phone.locator("#count").inner_text() == "4 of 8 images"
    for view in ("Map", "Failures", "Grid"):
        phone.get_by_role("tab", name=view).click()
        assert phone.evaluate("document.documentElement.scrollWidth") == 390


def test_a_tap_beside_the_filters_of_a_phone_closes_them_and_opens_nothing(phone):
    phone.get_by_role("button", name="Filters").click()
    phone.locator("#filters").wait_for()
    phone.mouse.click(380, 250)
    phone.locator("#filters").wait_for(state="hidden")
    assert phone.locator("#detail[open]").count() == 0


def test_a_phone_has_room_for_all_that_can_be_done_with_a_selection(phone):
    phone.locator("#tile-0 .circle").click()
    for button in phone.locator("#selection button").all():
        box = button.bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390


def test_an_image_alone_has_no_neighbours(made):
    with made(rows=1) as page:
        page.keyboard.press("Enter")
        page.get_by_text("There is no other image.").wait_for()


def test_enter_shows_an_image_and_what_is_near(page):
    page.keyboard.press("Enter")
    page.wait_for_selector("#detail .near img")
    page.keyboard.press("ArrowRight")
    assert "2 of 8" in page.locator("#detail header").inner_text()
    page.keyboard.press("Escape")
    assert page.locator("#detail[open]").count() == 0


def test_keys_work_on_after_a_click_beside_the_large_image(page):
    page.keyboard.press("Enter")
    assert page.get_by_label("Previous image").is_hidden()
    page.get_by_label("Next image").click()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    assert "3 of 8" in page.locator("#detail header").inner_text()
    assert page.locator("#selection b").text_content() == "1 selected"


def test_selected_keys_are_exported(page):
    page.keyboard.press("Control+a")
    assert page.locator("#selection b").inner_text() == "8 selected"
    with page.expect_download() as found:
        page.get_by_role("button", name="Download keys").click()
    lines = found.value.path().read_text("utf-8").splitlines()
    assert found.value.suggested_filename == "t-selected.keys.txt"
    assert "b/plain.png" in lines
    assert len(lines) == 8


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


def test_a_dropped_file_that_is_no_image_is_named(photo_page):
    photo_page.evaluate(DROP, b64encode(b"hello").decode())
    photo_page.get_by_text("dropped.jpg: not_an_image: begins with b'hello'").wait_for()


def test_when_filters_leave_nothing_of_a_search_it_is_said_so(photo_page):
    photo_page.keyboard.press("Enter")
    photo_page.keyboard.press("s")
    photo_page.wait_for_selector(".tile .score")
    photo_page.get_by_label("Filter by name").fill("nowhere")
    assert photo_page.get_by_text("No image meets these filters.").is_visible()


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


def test_groups_have_the_names_that_another_column_gives_them(made):
    names = ["castle", "cat", "castle", "noise"]
    labels = np.array([0, 1, 0, -1], np.int32)
    with made(rows=4, placed=4, cluster=labels, cluster_name=names) as page:
        items = page.locator("#filters .item span").all_text_contents()
        assert items == ["noise", "0 · castle", "1 · cat"]
        assert "Cluster_name" not in page.locator("#filters").inner_text()
        page.keyboard.press("m")
        assert page.locator("#legend li").all_text_contents() == items


def test_a_column_that_names_no_groups_stays_a_column(made):
    labels = np.array([0, 1, 0, 1], np.int32)
    with made(rows=4, cluster=labels, cluster_name=["a", "b", "b", "a"]) as page:
        items = page.locator("#filters .item span").all_text_contents()
        assert sorted(items) == ["0", "1", "a", "b"]


def test_a_search_stays_among_what_filters_leave(made):
    """Of a hundred nearest few might be among them."""
    with made(rows=400, label=["few" if i % 50 == 0 else "many" for i in range(400)]) as page:
        page.keyboard.press("Enter")
        page.get_by_role("button", name="Show nearest in the grid").click()
        page.get_by_text("100 of 400 images", exact=True).wait_for()
        page.get_by_label("few").check()
        page.get_by_text("7 of 400 images", exact=True).wait_for()
        page.get_by_label("few").uncheck()
        page.get_by_text("100 of 400 images", exact=True).wait_for()


def test_a_dropped_image_is_searched_for_among_what_filters_leave(photo_page, photos):
    photo_page.get_by_label("Filter by name").fill("t")
    photo_page.evaluate(DROP, b64encode((photos / "cat_chelsea.jpg").read_bytes()).decode())
    photo_page.wait_for_selector(".tile .score")
    photo_page.get_by_label("Filter by name").fill("r")
    photo_page.get_by_text("2 of 4 images", exact=True).wait_for()
    names = photo_page.locator(".tile .name").all_text_contents()
    assert sorted(names) == ["rocket.jpg", "tripod.jpg"]


def test_filters_of_a_phone_are_marked(phone):
    assert phone.locator("#open-filters.on").count() == 0
    phone.get_by_role("button", name="Filters").click()
    phone.get_by_label("<u>1</u>").check()
    assert phone.locator("#open-filters.on").count() == 1
