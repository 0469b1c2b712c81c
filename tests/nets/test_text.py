"""Text towers against what their libraries computed; see tests/reference/README.md.

With the variable PENULT_MODERN, the path of a folder of more references, all of those are compared.
"""

import modern
import numpy as np
import pytest
from tiny import TEXT, text_tensors

from penult.engine import OnnxRuntime
from penult.errors import NetworkError, UsageError
from penult.graph import any_length
from penult.nets.design import Card
from penult.nets.text import read_text
from penult.nets.text_transformer import TextTransformer
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
    table = reference.weight(design.table.name).astype(np.float32)
    inputs = ({"tokens": table[row], **design.inputs(row)} for row in rows)
    return np.concatenate([engine.run(each)["features"] for each in inputs])


@pytest.mark.parametrize("name", modern.names(FOLDER))
def test_text_tower_equals_its_library(name):
    reference = modern.Reference(name, FOLDER)
    if "text_features" not in reference.golden():
        pytest.skip("it has no text tower")
    ids, expected = golden(reference)
    assert modern.relative_error(compute(reference, ids), expected) < 1e-4


def shapes(image_tower="visual.trunk.x", **changes):
    arrays = text_tensors(**changes)
    return {name: array.shape for name, array in arrays.items()} | {image_tower: (1,)}


FASTVIT = "visual.trunk.stages.0.blocks.0.token_mixer.norm.weight"
CONVNEXT = "visual.trunk.stages.0.blocks.0.conv_dw.weight"
BIASED = {"base": "text.", "projection": "linear", "has_bias": True}


@pytest.mark.parametrize(
    ("tensors", "facts"),
    [
        (shapes(FASTVIT, base="text."), (False, "end", "gelu", "clip", False)),
        (shapes(CONVNEXT), (True, "end", "gelu", "clip", True)),
        (shapes(**BIASED, vocabulary=300), (False, "last", "gelu", "siglip", False)),
        (shapes(vocabulary=32_000), (False, "last", "gelu", "clipa", False)),
        (shapes("input_resolution"), (True, "end", "quick_gelu", "clip", True)),
    ],
)
def test_tensors_alone_tell(tensors, facts):
    design = read_text(tensors, Card()).design
    found = design.is_causal, design.pool, design.activation, design.words, design.is_free
    assert found == facts


def test_what_tensors_do_not_tell_is_asked():
    with pytest.raises(UsageError, match="don't tell its activation"):
        read_text(shapes("visual.proj"), Card())
    with pytest.raises(UsageError, match=r"put the open_clip_config\.json"):
        read_text(shapes("visual.proj", base="text."), Card("open_clip", "clip-gelu"))


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("use_pad_mask", True),
        ("correct_cls_mask", True),
        ("pool_type", "first"),
        ("heads", "8"),
        ("heads", 0),
        ("norm_kwargs", {"eps": "1"}),
        ("pool_type", ["last"]),
    ],
)
def test_settings_that_are_not_known_are_refused(setting, value):
    card = Card("open_clip", "", {"quick_gelu": False, "text_cfg": {setting: value}})
    with pytest.raises(NetworkError, match=setting if setting[:2] != "no" else "epsilon"):
        read_text(shapes(), card)


def test_copies_of_a_tower_are_asked_about():
    tower = shapes("input_resolution")
    both = {f"{prefix}{name}": shape for prefix in "ab" for name, shape in tower.items()}
    assert read_text(both, Card()) is None
    both = {f"{prefix}.{name}": shape for prefix in "ab" for name, shape in tower.items()}
    with pytest.raises(UsageError, match=r"2 text towers, below 'a\.' and 'b\.'"):
        read_text(both, Card())


def test_the_first_end_counts_in_files_of_transformers():
    design = TextTransformer(**TEXT | {"end": 7})
    assert list(design.cut([9, 5, 7, 3, 7])) == [9, 5, 7]
    assert list(TextTransformer(**TEXT).cut([9, 5, 70, 3, 70])) == [9, 5, 70]
