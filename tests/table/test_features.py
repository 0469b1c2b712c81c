"""`Features`: Penult's functions as methods of an open table."""

import inspect
import pydoc
import subprocess
import sys

import numpy as np
import pytest

import penult
from penult.store import Row, TableWriter

METHODS = [
    "cluster",
    "compare",
    "duplicates",
    "export",
    "index",
    "map",
    "outliers",
    "probe",
    "sample",
    "search",
    "view",
]


@pytest.fixture
def table(tmp_path):
    """The path of a table of three rows."""
    with TableWriter.open_or_create(tmp_path / "t.lance", {"pool": (2,)}, {}) as table:
        table.append(
            Row(key, 1, 1, width=1, height=1, vectors={"pool": np.array(vector, np.float32)})
            for key, vector in {"a": (0, 1), "b": (0.1, 1), "c": (1, 0)}.items()
        )
    return tmp_path / "t.lance"


@pytest.mark.parametrize("name", METHODS)
def test_methods_are_the_functions_of_the_same_name(name):
    assert getattr(penult.Features, name) is getattr(penult, name)


def test_a_method_takes_the_table_as_its_first_argument(table):
    features = penult.open(table)
    assert features.search("a", 1, exclude=()) == penult.search(table, "a", 1)


def test_a_method_has_the_signature_of_its_function_without_the_table(table):
    whole = inspect.signature(penult.search)
    bound = inspect.signature(penult.open(table).search)
    assert list(bound.parameters) == list(whole.parameters)[1:]
    assert bound.return_annotation == whole.return_annotation


def test_help_shows_signatures_without_names_of_types_in_quotes():
    text = pydoc.plain(pydoc.render_doc(penult.Features))
    assert "min_size: int = 5" in text
    assert "ForwardRef" not in text


def test_a_table_is_compared_with_those_that_are_named(tmp_path, table):
    with pytest.raises(penult.UsageError, match="is named twice"):
        penult.open(table).compare(table)


def test_repr_names_the_class(table):
    assert repr(penult.open(table)).startswith("<Features 't.lance': 3 images, ")


def test_neither_extracting_nor_opening_imports_what_the_methods_need(photos, tmp_path):
    script = (
        "import penult, sys\n"
        f"penult.extract({str(photos / 'hens.jpg')!r}, out={str(tmp_path / 't.lance')!r})\n"
        f"penult.open({str(tmp_path / 't.lance')!r}).numpy()\n"
        "print(*sys.modules)"
    )
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    above = ("penult.analysis", "penult.exports", "penult.viewer", "sklearn", "openTSNE")
    assert [name for name in loaded.stdout.decode().split() if name.startswith(above)] == []
