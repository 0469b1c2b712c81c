"""What the house holds itself to: no long function, no long file."""

import ast
from pathlib import Path

import pytest

import penult

FILES = sorted(Path(penult.__file__).parent.rglob("*.py"))
MOST_LINES, MOST_LINES_OF_FUNCTION = 400, 70


@pytest.mark.parametrize("file", FILES, ids=lambda file: "/".join(file.parts[-2:]))
def test_nothing_is_long(file):
    text = file.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= MOST_LINES
    functions = [each for each in ast.walk(ast.parse(text)) if isinstance(each, ast.FunctionDef)]
    lengths = {each.name: _lines(each) for each in functions}
    assert {name for name, lines in lengths.items() if lines > MOST_LINES_OF_FUNCTION} == set()


def _lines(function):
    """Lines of a function beside those of its docstring."""
    said = function.body[0] if ast.get_docstring(function) else None
    return _extent(function) - (_extent(said) if said else 0)


def _extent(node):
    return node.end_lineno - node.lineno + 1
