"""Pictures that aren't photos, made from a seed: pages of text, icons, screenshots and scans.

Those of a kind have the same size and layout and differ in what they say, so networks trained on
photos find them alike. All letters are of the font that comes with Pillow.
"""

from collections.abc import Callable
from random import Random

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

SYLLABLES = (
    "lo", "rem", "ip", "sum", "do", "sit", "a", "met", "con", "sec", "te", "tur", "ad", "is",
    "cing", "el", "it", "sed", "ei", "us", "mod", "tem", "por", "in",
)  # fmt: skip
GLYPHS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabdefghijkmnqrt23456789&@#%?!$+=<>{}~*"
INKS = ("white", "black", "#d22f27", "#1e50a0", "#5c9e31", "#f1b31c")
FORM = (
    "Name", "Address", "City", "Country", "Telephone", "Date", "Order", "Item", "Amount", "Price",
)  # fmt: skip
GREY = {level: f"#{level:02x}{level:02x}{level:02x}" for level in range(256)}


def words(random: Random, count: int) -> list[str]:
    """Words of one to four syllables."""
    return ["".join(random.choices(SYLLABLES, k=random.randint(1, 4))) for _ in range(count)]


def lines(random: Random, width: float, count: int, size: int) -> list[str]:
    """So many ragged lines of text that are no wider than so many pixels."""
    font, result = ImageFont.load_default(size), []
    while len(result) < count:
        line, wanted = "", width * random.uniform(0.75, 1)
        for word in words(random, 40):
            if font.getlength(f"{line} {word}") > wanted:
                break
            line = f"{line} {word}".strip()
        result.append(line)
    return result


def document(random: Random) -> Image.Image:
    """A page of text, 850×1100; all have the same margins, size of letters and spacing."""
    page = Image.new("L", (850, 1100), 255)
    _write(page, (80, 80), lines(random, 690, 34, 18), 18, 28)
    return page.convert("RGB")


def icon(random: Random, number: int) -> Image.Image:
    """A glyph of 96×96 on transparency, on white or on a coloured disc; no two are the same."""
    glyph, style = GLYPHS[number % len(GLYPHS)], number // len(GLYPHS) + number % 4
    ground = ((0, 0, 0, 0), (0, 0, 0, 0), (255, 255, 255, 255), (0, 0, 0, 0))[style % 4]
    picture = Image.new("RGBA", (96, 96), ground)
    draw = ImageDraw.Draw(picture)
    ink = ("white", "black", "black", "white")[style % 4]
    if style % 4 == 3:
        draw.ellipse((4, 4, 92, 92), INKS[2 + number // 4 % 4])
    draw.text((48, 48), glyph, ink, anchor="mm", font_size=random.choice((56, 60, 64)))
    return picture


def screenshot(random: Random) -> Image.Image:
    """A window of 1024×640 with a side bar, a heading and a table; the frame is always the same."""
    picture = Image.new("RGB", (1024, 640), "#f4f4f6")
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, 0, 1024, 40), "#2b3a55")
    draw.text((20, 10), "Archive", "white", font_size=18)
    draw.rectangle((0, 40, 200, 640), "#e3e6ec")
    for row in range(9):
        draw.text((20, 60 + 36 * row), f"Folder {row + 1}", "#333333", font_size=16)
    chosen = random.randrange(9)
    draw.rectangle((4, 56 + 36 * chosen, 196, 84 + 36 * chosen), outline="#2b6cb0", width=2)
    _write(picture, (230, 60), lines(random, 500, 1, 24), 24, 30)
    for row in range(random.randint(9, 15)):
        y = 110 + 34 * row
        draw.line((230, y - 6, 1000, y - 6), "#c8ccd4")
        for x, width in ((230, 260), (510, 200), (730, 250)):
            _write(picture, (x, y), lines(random, width, 1, 15), 15, 20)
    return picture


def scan(random: Random) -> Image.Image:
    """A filled form of 800×1000 on paper that isn't white, a little turned, with noise."""
    page = Image.new("L", (800, 1000), random.randint(225, 245))
    draw = ImageDraw.Draw(page)
    draw.text((300, 50), "Order form", GREY[60], font_size=32)
    for row, label in enumerate(FORM):
        y = 140 + 44 * row
        draw.text((70, y), label, GREY[60], font_size=18)
        draw.line((220, y + 26, 730, y + 26), 120)
        _write(page, (230, y), lines(random, 480, 1, 19), 19, 20)
    _write(page, (70, 620), lines(random, 660, 10, 18), 18, 28)
    page = page.rotate(random.uniform(-1, 1), Image.Resampling.BICUBIC, fillcolor=GREY[230])
    noise = np.random.default_rng(random.getrandbits(32)).normal(0, 6, (1000, 800))
    grey = np.asarray(page.filter(ImageFilter.GaussianBlur(0.7)), np.float64) + noise
    return Image.fromarray(grey.clip(0, 255).astype(np.uint8)).convert("RGB")


def made(kind: str, count: int, seed: int = 0) -> list[Image.Image]:
    """So many distinct pictures of a kind, always the same ones."""
    return [MAKERS[kind](Random(f"{kind} {seed} {number}"), number) for number in range(count)]


def _write(page: Image.Image, at: tuple[int, int], text: list[str], size: int, step: int) -> None:
    draw = ImageDraw.Draw(page)
    for row, line in enumerate(text):
        draw.text((at[0], at[1] + step * row), line, GREY[34], font_size=size)


MAKERS: dict[str, Callable[[Random, int], Image.Image]] = {
    "documents": lambda random, number: document(random),
    "icons": icon,
    "screenshots": lambda random, number: screenshot(random),
    "scans": lambda random, number: scan(random),
}
