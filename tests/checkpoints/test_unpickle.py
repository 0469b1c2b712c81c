"""What the pickle machine refuses, with pickles written opcode by opcode."""

import struct
from pathlib import Path

import pytest

from penult.checkpoints import open_checkpoint
from penult.errors import CheckpointError, UnsafeError

HOSTILE = (Path(__file__).parent / "data" / "hostile_globals.txt").read_text().split()


def _parts(name):
    module, _, last = name.rpartition(".")
    return module.encode(), last.encode()


def _global(name):
    return b"c%s\n%s\n" % _parts(name)


def _stack_global(name):
    return b"".join(b"\x8c" + bytes([len(part)]) + part for part in _parts(name)) + b"\x93"


def _instance(name):
    return b"(i%s\n%s\n" % _parts(name)


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("ask", [_global, _stack_global, _instance])
def test_globals_outside_the_table_are_named_and_refused(ask, name, op, write_zip, refusal):
    call = ask(name) + op.tuple(op.text("echo")) + b"R"
    message = refusal(write_zip(op.pickle(call)), UnsafeError)
    assert f"asks for the global '{name}'"[:48] in message
    assert "if you trust it, save state_dict() of torch.load(…, weights" in message


@pytest.mark.parametrize("layout", ["write_zip", "write_legacy"])
def test_both_layouts_go_through_the_same_machine(layout, op, request, refusal):
    write = request.getfixturevalue(layout)
    path = write(op.pickle(op.name("os", "system"), op.tuple(op.text("echo")), b"R"))
    assert "asks for the global 'os.system'" in refusal(path, UnsafeError)


def test_the_message_says_at_which_byte(op, write_legacy, refusal):
    path = write_legacy(op.pickle(op.name("os", "system"), b")R"))
    assert f", byte {path.read_bytes().index(b'cos')}: asks for" in refusal(path, UnsafeError)


def test_names_in_messages_are_escaped_and_cut(op, write_zip, refusal):
    path = write_zip(op.pickle(op.text("\x1b]0;" + "m" * 500), op.text("\n\0" * 90), b"\x93"))
    message = refusal(path, UnsafeError)
    assert r"asks for the global '\x1b]0;mmm" in message


def test_a_dotted_name_is_not_split_another_way(op, write_zip, refusal):
    path = write_zip(op.pickle(op.text("torch"), op.text("_utils._rebuild_tensor_v2"), b"\x93"))
    assert "'torch._utils._rebuild_tensor_v2'" in refusal(path, UnsafeError)


def test_a_name_with_a_space_is_not_split_another_way(op, write_zip, refusal):
    assert "global" in refusal(write_zip(op.pickle(op.name("torch._utils x", "y"))), UnsafeError)


@pytest.mark.parametrize("opcode", [b"\x82\x01", b"\x83\x01\x01", b"\x84\x01\x01\x01\x01"])
def test_extension_codes_are_refused(opcode, op, write_zip, refusal):
    assert "extension code" in refusal(write_zip(op.pickle(opcode)), UnsafeError)


@pytest.mark.parametrize(
    ("name", "opcode"),
    [
        ("PERSID", b"Pid\n"),
        ("OBJ", b"()o"),
        ("NEWOBJ_EX", b"))}\x92"),
        ("DUP", b"N2"),
        ("POP", b"N0"),
        ("POP_MARK", b"(1"),
        ("LIST", b"(l"),
        ("DICT", b"(d"),
        ("INT", b"I1\n"),
        ("LONG", b"L1L\n"),
        ("LONG4", b"\x8b\x01\x00\x00\x00\x01"),
        ("FLOAT", b"F1.0\n"),
        ("STRING", b"S'a'\n"),
        ("UNICODE", b"Va\n"),
        ("GET", b"g0\n"),
        ("PUT", b"Np0\n"),
        ("NEXT_BUFFER", b"\x97"),
        ("READONLY_BUFFER", b"N\x98"),
    ],
)
def test_opcodes_that_no_weights_need_are_refused(name, opcode, op, write_zip, refusal):
    message = refusal(write_zip(op.pickle(opcode)))
    assert name in message


def test_a_pickle_in_a_pickle_stays_bytes(op, write_zip, read_all):
    inner = op.pickle(op.name("os", "system"), op.tuple(op.text("echo")), b"R")
    inner = b"C" + bytes([len(inner)]) + inner
    assert list(read_all(write_zip(op.pickle(op.dict(w=op.tensor(), x=inner))))) == ["w"]


TENSOR, FUNCTION, DTYPE = "tensor", "function", "dtype"


def _thing(op, what):
    return {
        TENSOR: op.tensor(),
        FUNCTION: op.name("torch", "Size"),
        DTYPE: op.name("torch", "float32"),
        "storage": op.storage(),
        "storage type": op.name("torch", "FloatStorage"),
        "text": op.text("text"),
        "number": b"K\1",
        "none": b"N",
        "tuple": b")",
        "list": b"]",
        "dict": b"}",
        "inert": op.name("torch", "device") + b")R",
    }[what]


NOT_DICTS = [TENSOR, FUNCTION, DTYPE, "storage", "storage type", "text", "none", "tuple", "list"]
NOT_LISTS = [TENSOR, FUNCTION, DTYPE, "storage", "storage type", "text", "none", "tuple", "dict"]
NOT_FUNCTIONS = [TENSOR, DTYPE, "storage", "storage type", "text", "none", "tuple", "list", "inert"]


@pytest.mark.parametrize("target", [*NOT_DICTS, "inert"])
@pytest.mark.parametrize("opcodes", [b"K\0K\1s", b"(K\0K\1u"])
def test_items_are_set_in_dicts_only(target, opcodes, op, write_zip, refusal):
    path = write_zip(op.pickle(_thing(op, target), opcodes))
    assert "setting items of something that isn't a dict" in refusal(path)


@pytest.mark.parametrize("target", [*NOT_LISTS, "inert"])
@pytest.mark.parametrize("opcodes", [b"K\1a", b"(K\1e"])
def test_items_are_appended_to_lists_only(target, opcodes, op, write_zip, refusal):
    path = write_zip(op.pickle(_thing(op, target), opcodes))
    assert "appending to something that isn't a list" in refusal(path)


@pytest.mark.parametrize("target", [*NOT_DICTS, "dict"])
def test_items_are_added_to_sets_only(target, op, write_zip, refusal):
    path = write_zip(op.pickle(_thing(op, target), b"(K\1\x90"))
    assert "adding items to something that isn't a set" in refusal(path)


@pytest.mark.parametrize("target", NOT_DICTS)
def test_attributes_are_set_on_dicts_only(target, op, write_zip, refusal):
    path = write_zip(op.pickle(_thing(op, target), b"}b"))
    assert "attributes for something that isn't a dict" in refusal(path)


@pytest.mark.parametrize("target", NOT_FUNCTIONS)
@pytest.mark.parametrize("opcode", [b"R", b"\x81"])
def test_functions_of_the_table_are_called_only(target, opcode, op, write_zip, refusal):
    path = write_zip(op.pickle(_thing(op, target), b")", opcode))
    assert "a call of something that isn't a function" in refusal(path)


@pytest.mark.parametrize("arguments", [TENSOR, "text", "none", "list", "dict", "inert"])
def test_arguments_are_a_tuple(arguments, op, write_zip, refusal):
    path = write_zip(op.pickle(_thing(op, FUNCTION), _thing(op, arguments), b"R"))
    assert "a call of something that isn't a function" in refusal(path)


@pytest.mark.parametrize("key", [TENSOR, FUNCTION, "none", "tuple", "list", "dict", "inert"])
def test_keys_are_texts_and_numbers(key, op, write_zip, refusal):
    path = write_zip(op.pickle(b"}", _thing(op, key), b"Ns"))
    assert "a dict's key that is neither text nor a number" in refusal(path)


def test_keys_are_not_long_enough_for_chosen_hash_collisions(op, write_zip, refusal):
    path = write_zip(op.pickle(b"}", op.number(2**64), b"Ns"))
    assert "a dict's key that is neither text nor a number" in refusal(path)


@pytest.mark.parametrize("what", [TENSOR, "text", "none", "list", "dict"])
def test_a_persistent_id_is_a_tuple(what, op, write_zip, refusal):
    path = write_zip(op.pickle(_thing(op, what), b"Q"))
    assert "a persistent id that isn't a tuple" in refusal(path)


def test_globals_have_text_as_names(op, write_zip, refusal):
    assert "a global whose name isn't text" in refusal(write_zip(op.pickle(b"K\1K\2\x93")))


def test_each_opcode_alone_is_refused_in_order(op, write_zip):
    for code in range(256):
        with pytest.raises(CheckpointError):
            open_checkpoint(write_zip(op.pickle(bytes([code]))))


@pytest.mark.parametrize(
    ("pickle", "reason"),
    [
        (b"\x80\x02.", "pickle that doesn't end with one value"),
        (b"\x80\x02NN.", "pickle that doesn't end with one value"),
        (b"\x80\x02(N.", "pickle that doesn't end with one value"),
        (b"\x80\x02}", "pickle exhausted before seeing STOP"),
        (b"\x80\x02h\x07.", "nothing is memorised as 7"),
        (b"\x80\x02t.", "malformed pickle (pop from empty list)"),
        (b"\x80\x02" + b"(" * 1001 + b".", "nesting deeper than 1000"),
        (b"\x80\x02}(Nu.", "neither text nor a number"),
        (b"\x80\x02}(K\x01u.", "malformed pickle (zip() argument 2 is shorter"),
        (b"\x80\x02N\x86.", "too few values for a tuple"),
        (b"\x80\x02X\xff\xff\xff\xffa.", "expected 4294967295 bytes in a unicodestring4"),
        (b"\x80\x02X\x02\x00\x00\x00\xff\xfe.", "can't decode byte 0xff"),
        (b"\x80\x02\xff.", "opcode b'\\xff' unknown"),
        (b"\x80\x02cno line feed", "no newline found"),
        (b"\x80\x02co" + b"s" * 600 + b"\nsystem\n.", "no newline found"),
        (b"\x80\x02co\\x73\nsystem\n.", "a global's name with a backslash"),
        (b"\x80\x02ctorch\nn\xff\n.", "malformed pickle"),
        (b"\x80\x02G\x00.", "malformed pickle"),
    ],
)
def test_malformed_pickles_are_refused(pickle, reason, write_zip, refusal):
    message = refusal(write_zip(pickle))
    assert reason in message
    assert "damaged or forged: fetch the file again" in message


def test_functions_of_the_table_get_the_right_number_of_arguments(op, write_zip, refusal):
    path = write_zip(op.pickle(op.name("torch._utils", "_rebuild_tensor_v2"), b")R"))
    assert "malformed pickle (not enough values to unpack" in refusal(path)


def test_pickles_of_python_2_are_read(op, write_legacy, read_all):
    def old(value):
        return b"U" + bytes([len(value)]) + value

    pair = b"](" + old(b"w") + op.tensor() + b"e"
    pickle = op.pickle(op.name("collections", "OrderedDict"), b"](", pair, b"e\x85R")
    assert list(read_all(write_legacy(pickle))) == ["w"]


@pytest.mark.parametrize("pair", [b"K\1", b"](K\1e", b"](NK\1e", b"U\2ab", b"](]K\1e"])
def test_pairs_of_an_ordered_dict_are_pairs(pair, op, write_legacy, refusal):
    pickle = op.pickle(op.name("collections", "OrderedDict"), b"](", pair, b"e\x85R")
    assert "an OrderedDict of other things than pairs" in refusal(write_legacy(pickle))


@pytest.mark.parametrize(
    "value",
    [
        b"\x8f(K\1K\2\x90",  # {1, 2}
        b"(K\1\x91",  # frozenset({1})
        b"\x8e" + struct.pack("<Q", 2) + b"ab",
        b"\x96" + struct.pack("<Q", 2) + b"ab",
        b"B" + struct.pack("<I", 2) + b"ab",
        b"\x8d" + struct.pack("<Q", 2) + b"ab",
        b"T" + struct.pack("<I", 2) + b"a\xff",
        b"G" + struct.pack(">d", 0.5),
        b"\x8a\x09" + bytes(8) + b"\1",
        b"cnumpy.core.multiarray\nscalar\n(cnumpy\ndtype\n(X\2\0\0\0f8\x89\x88tRC\x08abcdefghtR",
        b"cargparse\nNamespace\n)\x81}(X\1\0\0\0aK\1ub",
        b"ccollections\ndefaultdict\nc__builtin__\nlist\n\x85R",
        b"ccollections\nCounter\n}(X\1\0\0\0aK\1u\x85R",
    ],
)
def test_values_beside_the_weights_are_left_aside(value, op, write_zip, read_all):
    tensors = read_all(write_zip(op.pickle(op.dict(x=value, w=op.tensor(), y=value))))
    assert list(tensors) == ["w"]


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5, 255])
def test_the_protocol_number_changes_nothing(protocol, op, write_zip, read_all):
    assert list(read_all(write_zip(b"\x80" + bytes([protocol]) + op.state()[2:]))) == ["w"]
