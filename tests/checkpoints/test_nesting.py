"""Which of the tensors in a nested object are the weights."""

from itertools import pairwise

import pytest

from penult.checkpoints import open_checkpoint
from penult.checkpoints.nesting import AVERAGED, MAX_DEPTH, MAX_TENSORS, WRAPPERS


@pytest.fixture
def names(op, write_zip):
    """The names of the tensors in a pickle made of these opcodes."""

    def names_in(*parts):
        return list(open_checkpoint(write_zip(op.pickle(*parts))))

    return names_in


@pytest.mark.parametrize("wrapper", [*WRAPPERS, *AVERAGED])
def test_what_a_known_key_wraps_is_the_content(wrapper, names, op):
    other = op.dict(w=op.tensor())
    assert names(op.dict(optimizer=other, **{wrapper: op.dict(v=op.tensor())})) == ["v"]


@pytest.mark.parametrize(("first", "second"), [*pairwise((*WRAPPERS, *AVERAGED))])
def test_known_keys_have_an_order(first, second, names, op):
    wrapped = {second: op.dict(b=op.tensor()), first: op.dict(a=op.tensor())}
    assert names(op.dict(**wrapped)) == ["a"]


def test_a_known_key_without_tensors_wraps_nothing(names, op):
    assert names(op.dict(model=op.dict(width=b"K\1"), net=op.dict(w=op.tensor()))) == ["w"]


def test_a_known_key_that_is_a_tensor_is_one(names, op):
    assert names(op.dict(weights=op.tensor(), model=op.text("resnet"))) == ["weights"]


def test_an_average_beside_bare_weights_is_one_of_them(names, op):
    assert names(op.dict(w=op.tensor(), ema=op.dict(w=op.tensor()))) == ["w", "ema.w"]


def test_inside_a_wrapper_only_state_dict_is_one_again(names, op):
    inner = op.dict(net=op.dict(w=op.tensor()), head=op.dict(w=op.tensor()))
    assert names(op.dict(model=inner)) == ["net.w", "head.w"]
    assert names(op.dict(model=op.dict(state_dict=inner))) == ["net.w", "head.w"]


def test_lists_and_tuples_count_their_items(names, op):
    items = b"(" + op.text("relu") + op.tensor() + b"](" + op.tensor() + b"et"
    assert names(op.dict(blocks=items)) == ["blocks.1", "blocks.2.0"]


def test_numbers_can_be_keys(names, op):
    assert names(b"}(K\7", op.tensor(), b"G?\xe0\0\0\0\0\0\0", op.tensor(), b"u") == ["7", "0.5"]


def test_what_was_saved_may_be_a_list(names, op):
    assert names(b"](", op.tensor(), b"N", op.tensor(), b"e") == ["0", "2"]


def test_names_are_not_changed(names, op):
    name = "module.../../a b\0\n\u202e"
    assert names(b"}", op.text(name), op.tensor(), b"s") == [name]


@pytest.mark.parametrize("root", [b"N", b"K\1", b"}", b"]", b")"])
def test_a_file_without_tensors_says_so(root, op, write_zip, refusal):
    assert "no tensors in this file; save the model's" in refusal(write_zip(op.pickle(root)))


def test_a_single_tensor_has_no_name_to_go_by(op, write_zip, refusal):
    assert "one tensor without a name; save the model's" in refusal(
        write_zip(op.pickle(op.tensor()))
    )


def test_two_paths_to_one_name_are_refused(op, write_zip, refusal):
    dotted = op.text("a.b") + op.tensor()
    path = write_zip(op.pickle(b"}(", op.text("a"), op.dict(b=op.tensor()), dotted, b"u"))
    assert "two tensors of the name 'a.b'" in refusal(path)


def test_a_dict_in_itself_is_refused(op, write_zip, refusal):
    path = write_zip(op.pickle(b"}q\0", op.text("a"), b"h\0s"))
    assert f"nesting deeper than {MAX_DEPTH}" in refusal(path)


def test_a_wrapper_in_itself_is_refused(op, write_zip, refusal):
    path = write_zip(op.pickle(b"}q\0(", op.text("w"), op.tensor(), op.text("model"), b"h\0u"))
    assert f"nesting deeper than {MAX_DEPTH}" in refusal(path)


def test_deep_nesting_is_refused(op, write_zip, refusal):
    path = write_zip(op.pickle(op.tensor(), b"\x85" * 100_000))
    assert f"nesting deeper than {MAX_DEPTH}" in refusal(path)


def _layers(count, width):
    """Lists, each of which has the one before `width` times; the first has what is memo 0."""
    items = [(b"h" + bytes([n])) * width for n in range(count)]
    return b"".join(b"](" + item + b"eq" + bytes([n + 1]) for n, item in enumerate(items))


def test_a_nest_that_multiplies_itself_is_refused(op, write_zip, refusal):
    """Billion laughs: each of 20 lists has the one before ten times."""
    path = write_zip(op.pickle(b"](]q\0", _layers(20, 10), b"e"))
    assert "nesting of more than 400000 items" in refusal(path)


def test_the_number_of_tensors_is_limited(op, write_zip, refusal):
    path = write_zip(op.pickle(b"](", op.tensor(), b"q\0", _layers(3, 100), b"e"))
    assert f"more than {MAX_TENSORS} tensors" in refusal(path)


def test_the_length_of_names_is_limited(op, write_zip, refusal):
    path = write_zip(op.pickle(b"}", op.text("n" * 1025), op.tensor(), b"s"))
    assert "a name of more than 1024 characters" in refusal(path)


def test_the_length_of_names_is_limited_in_all(op, write_zip, refusal):
    inner = b"}" + op.text("n" * 1000) + op.tensor() + b"s"
    path = write_zip(op.pickle(b"}", op.text("m" * 1000), inner, b"s"))
    assert "a name of more than 1024 characters" in refusal(path)


def test_a_name_that_is_no_text_is_refused(op, write_zip, refusal):
    path = write_zip(op.pickle(b"}", op.text("\ud800"), op.tensor(), b"s"))
    assert r"tensor name '\ud800' isn't Unicode text" in refusal(path)


def test_metadata_are_short_texts_and_numbers(op, write_zip):
    facts = {"epoch": b"K\3", "lr": b"G?\xe0\0\0\0\0\0\0", "amp": b"\x88", "arch": op.text("a")}
    others = {"none": b"N", "list": b"]", "long": op.text("x" * 2000), "k" * 2000: b"K\1"}
    path = write_zip(op.pickle(op.dict(**facts, **others, model=op.dict(w=op.tensor()))))
    assert open_checkpoint(path).metadata == {"epoch": "3", "lr": "0.5", "amp": "True", "arch": "a"}
