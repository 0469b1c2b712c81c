"""Text towers against what their libraries computed; see tests/reference/README.md.

With the variable PENULT_MODERN, the path of a folder of more references, all of those are compared.
"""

import modern
import numpy as np
import pytest

from penult.engine import OnnxRuntime
from penult.graph import any_length
from penult.nets.text import read_text
from penult.onnx.writer import to_onnx

SMALL = modern.SMALL / "text"
FOLDER = modern.ALL if modern.ALL != modern.SMALL else SMALL


def golden(reference):
    arrays = reference.golden()
    return arrays["input_ids"], arrays.get("text_features_normalized", arrays["text_features"])


def compute(reference, ids):
    prefix, design = read_text(reference.shapes, reference.card)
    assert prefix == ""
    graph = {"features": design.graph()}
    graph = any_length(graph) if design.is_free else graph
    engine = OnnxRuntime(to_onnx(graph, lambda v: reference.weight(v.name)), once=True)
    rows = [np.array([design.cut(row)]) for row in ids.tolist()]
    return np.concatenate([engine.run(design.inputs(row))["features"] for row in rows])


@pytest.mark.parametrize("name", modern.names(FOLDER))
def test_text_tower_equals_its_library(name):
    reference = modern.Reference(name, FOLDER)
    if "text_features" not in reference.golden():
        pytest.skip("it has no text tower")
    ids, expected = golden(reference)
    assert modern.relative_error(compute(reference, ids), expected) < 1e-4
