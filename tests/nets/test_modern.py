"""Today's networks against what their libraries computed; see tests/reference/README.md.

With the variable PENULT_MODERN, the path of a folder of more references, all of those are compared.
"""

import modern
import pytest

from penult.errors import UsageError
from penult.nets.design import Card, document
from penult.nets.registry import made_again, read_designs

NOISY = {"timm/tf_efficientnetv2_s.in21k_ft_in1k": 3e-4}  # of its own, in float32


@pytest.mark.parametrize("name", modern.names())
def test_network_equals_its_library(name):
    reference = modern.Reference(name)
    if not read_designs(reference.shapes, reference.card):
        pytest.skip("its family isn't read yet")
    found = modern.differences(reference)
    assert "features" in found
    assert max(found.values()) < NOISY.get(name, 1e-4)
    for module, difference in modern.prints(reference):
        assert difference < 1e-3, module


@pytest.mark.parametrize("name", modern.names(modern.SMALL))
def test_design_survives_as_plain_data(name):
    design = modern.Reference(name, modern.SMALL).design
    again = made_again(document(design), design.name)
    assert again.settings == document(design)
    assert list(again.layers()) == list(modern.build(design))


@pytest.mark.parametrize("name", modern.names(modern.SMALL))
def test_tensors_alone_tell_or_a_question_is_asked(name):
    reference = modern.Reference(name, modern.SMALL)
    try:
        designs = read_designs(reference.shapes, Card())
    except UsageError as exc:
        assert "say" in str(exc)  # noqa: PT017 -- either is right
    else:
        assert list(designs) == [""]
