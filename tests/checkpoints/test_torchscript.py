"""TorchScript archives: tensors are read from them, their code is neither unpacked nor run."""

import re
import zipfile

import pytest

from penult.checkpoints import open_checkpoint
from penult.errors import CheckpointError, UnsafeError


@pytest.fixture
def write_script(write_zip):
    """Write an archive with a program beside the data."""

    def write(pickle, **records):
        return write_zip(pickle, **{"constants.pkl": b"\x80\x02)."}, **records)

    return write


def module(op, name="Net", **attributes):
    return op.name("__torch__.net", name) + b")\x81" + op.dict(**attributes) + b"b"


def test_names_are_paths_of_attributes(op, write_script, read_all):
    inner = module(op, "___torch_mangle_0.Conv", weight=op.tensor(), training=b"\x89")
    layers = module(op, **{"0": inner, "1": inner})
    path = write_script(op.pickle(module(op, layers=layers, scale=op.tensor(), label=op.text("n"))))
    assert list(read_all(path)) == ["layers.0.weight", "layers.1.weight", "scale"]
    assert open_checkpoint(path).format == "PyTorch (TorchScript)"


def test_an_attribute_called_model_is_no_wrapper(op, write_script, read_all):
    inner = module(op, weight=op.tensor())
    path = write_script(op.pickle(module(op, model=inner, head=inner)))
    assert list(read_all(path)) == ["model.weight", "head.weight"]


def test_lists_with_types_are_left_aside_or_gone_through(op, write_script, read_all):
    sizes = op.name("torch.jit._pickle", "build_intlist") + b"](K\1K\2e\x85R"
    tensors = op.name("torch.jit._pickle", "build_tensorlist") + b"](" + op.tensor() + b"e\x85R"
    tagged = op.name("torch.jit._pickle", "restore_type_tag") + op.tuple(
        op.dict(a=op.tensor()), op.text("Dict[str, Tensor]")
    )
    enum = op.name("__torch__.net", "Colour") + b"K\1\x85R"
    path = write_script(op.pickle(module(op, i=sizes, t=tensors, d=tagged + b"R", e=enum)))
    assert list(read_all(path)) == ["t.0", "d.a"]


def test_a_deflated_record_is_code_or_refused(op, write_script, read_all, refusal):
    path = write_script(op.pickle(module(op, w=op.tensor())))
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/code/__torch__.py", b"import os\n" * 100)
    assert list(read_all(path)) == ["w"]
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data/1", bytes(16))
    assert "record 'archive/data/1' is compressed or encrypted" in refusal(path)


@pytest.mark.parametrize(
    ("attribute", "reason"),
    [
        (("__torch__.torch.classes.quantized", "Conv2dPackedParamsBase"), "of C++, as quantised"),
        (("torch._utils", "_rebuild_qtensor"), "a quantised tensor isn't supported"),
        (("torch.jit._pickle", "build_tensor_from_id"), "tensors in a table of their own"),
    ],
)
def test_what_is_not_read_says_what_to_do(attribute, reason, op, write_script, refusal):
    assert reason in refusal(write_script(op.pickle(module(op, w=op.name(*attribute)))))


@pytest.mark.parametrize("name", [("os", "system"), ("__torch", "Net"), ("__torch__x", "Net")])
def test_other_globals_are_code(name, op, write_script, refusal):
    message = refusal(write_script(op.pickle(module(op, w=op.name(*name)))), UnsafeError)
    assert "run torch.save(torch.jit.load(…).state_dict(), 'weights.pth')" in message


def test_a_state_that_is_no_dict_of_attributes_is_refused(op, write_script, refusal):
    path = write_script(op.pickle(op.name("__torch__", "Net"), b")\x81K\1b"))
    assert "a TorchScript object with __setstate__ isn't read; run torch.save" in refusal(path)
    path = write_script(op.pickle(module(op, w=op.tensor()), b"}b"))
    assert "attributes for an object that has them" in refusal(path)


def test_a_module_in_itself_is_refused(op, write_script, refusal):
    path = write_script(
        op.pickle(op.name("__torch__", "Net"), b")\x81q\0}", op.text("m"), b"h\0sb")
    )
    assert "nesting deeper than" in refusal(path)


def test_classes_are_named_by_programs_only(op, write_zip):
    with pytest.raises(CheckpointError, match=re.escape("asks for the global '__torch__.net.Net'")):
        open_checkpoint(write_zip(op.pickle(module(op, w=op.tensor()))))
