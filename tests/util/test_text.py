from pathlib import Path

import pytest

from penult.util.text import nearest, one_line, quoted


def test_what_steers_a_terminal_is_escaped():
    assert one_line("a\r\n\x1b[2J\u202eb\udcff") == r"a\r\n\x1b[2J\u202eb\udcff"


def test_long_names_lose_their_middle():
    name = "a" * 300 + "z" * 300
    assert quoted(name) == f"'{'a' * 30}…{'z' * 30}'"
    assert quoted(Path(name)) == f"'{'a' * 50}…{'z' * 50}'"
    assert len(one_line("\n" * 10**6, limit=80)) == 81


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("pool", "pooled, head_pool"),
        ("haed", "head, head_pool, pooled"),
    ],
)
def test_nearest_names(name, expected):
    assert nearest(name, ["stem", "pooled", "head", "head_pool"]) == expected
