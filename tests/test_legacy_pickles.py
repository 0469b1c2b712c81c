"""Pickles of features: those of any Python and NumPy are read, and nothing else."""

import os
import pickle
import random
import struct
import sys
import tracemalloc
from collections import OrderedDict
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

import penult
from penult.errors import CheckpointError, UnsafeError

HOSTILE = Path(__file__).parent / "checkpoints/data/hostile_globals.txt"
MUTANTS = 200  # a protocol


@pytest.fixture
def write(tmp_path):
    """Write a pickle, given as bytes."""

    def write_pickle(raw):
        path = tmp_path / "some.pkl"
        path.unlink(missing_ok=True)
        path.write_bytes(raw)
        return path

    return write_pickle


@pytest.fixture
def refusal(write):
    """The message with which a pickle is refused, once it has proved to be fit for a person."""

    def message_of(raw, kind=CheckpointError):
        with pytest.raises(CheckpointError) as caught:
            penult.legacy.load_features(write(raw))
        message = str(caught.value)
        assert type(caught.value) is kind, message
        assert message.isprintable()
        assert len(message) <= 300
        assert "some.pkl" in message
        return message

    return message_of


# `{"imgs/a.jpg": array([1, -2.5], float32)}` as Python 2 pickles it, in its protocols.
PYTHON_2 = {
    0: rb"""(dp1
S'imgs/a.jpg'
p2
cnumpy.core.multiarray
_reconstruct
p3
(cnumpy
ndarray
p4
(I0
tp5
S'b'
p6
tp7
Rp8
(I1
(I2
tp9
cnumpy
dtype
p10
(S'f4'
p11
I0
I1
tp12
Rp13
(I3
S'<'
p14
NNNI-1
I-1
I0
tp15
bI00
S'\x00\x00\x80?\x00\x00 \xc0'
p16
tp17
bs.""",
    1: b"}q\1U\x0aimgs/a.jpgq\2cnumpy.core.multiarray\n_reconstruct\nq\3(cnumpy\nndarray\nq\4"
    b"(K\0tq\5U\1bq\6tq\7Rq\x08(K\1(K\2tq\x09cnumpy\ndtype\nq\x0a(U\2f4q\x0bK\0K\1tq\x0cRq\x0d"
    b"(K\3U\1<q\x0eNNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tq\x0fb"
    b"I00\nU\x08\0\0\x80?\0\0 \xc0q\x10tq\x11bs.",
    2: b"\x80\2}q\1U\x0aimgs/a.jpgq\2cnumpy.core.multiarray\n_reconstruct\nq\3cnumpy\nndarray\nq\4"
    b"K\0\x85q\5U\1bq\6\x87q\7Rq\x08(K\1K\2\x85q\x09cnumpy\ndtype\nq\x0aU\2f4q\x0bK\0K\1\x87q\x0c"
    b"Rq\x0d(K\3U\1<q\x0eNNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tq\x0fb"
    b"\x89U\x08\0\0\x80?\0\0 \xc0q\x10tq\x11bs.",
}


@pytest.mark.parametrize("protocol", PYTHON_2)
def test_pickles_of_python_2_are_read(protocol, write):
    features = penult.legacy.load_features(write(PYTHON_2[protocol]))
    assert features.keys() == {"imgs/a.jpg"}
    assert (features["imgs/a.jpg"].tolist(), features["imgs/a.jpg"].dtype) == ([1, -2.5], "f4")


def test_python_2_pickles_are_what_they_claim():
    for raw in PYTHON_2.values():
        (features,) = pickle.loads(raw, encoding="latin-1").values()
        assert features.tolist() == [1, -2.5]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (b"imgs/a.jpg", rb"caf\xc3\xa9.jpg", "café.jpg"),
        (b"imgs/a.jpg", rb"caf\xe9.jpg", "café.jpg"),
        (b"'imgs/a.jpg'", rb'''"it's.jpg"''', "it's.jpg"),
        (b"imgs/a.jpg", rb"it\'s \\ \n.jpg", "it's \\ \n.jpg"),
        (b"S'imgs/a.jpg'", rb"Vcaf\u00e9.jpg", "café.jpg"),
    ],
)
def test_paths_of_python_2_become_text(old, new, expected, write):
    raw = PYTHON_2[0].replace(old, new)
    assert raw != PYTHON_2[0]
    assert list(penult.legacy.load_features(write(raw))) == [expected]


FEATURES = {
    "a.jpg": np.array([1, -2.5, 3e-8], np.float32),
    "b.jpg": np.arange(6.0).reshape(2, 3),
    "c.jpg": np.asfortranarray(np.arange(6, dtype=np.int8).reshape(2, 3)),
    "d.jpg": np.array([0.1], ">f8"),
    "e.jpg": np.array([], np.float16),
    "f.jpg": np.float32(2),
    "dossier/é.jpg": np.array([[250]], np.uint8),
}


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("core", [b"_core", b"core"])
def test_arrays_are_read_in_all_protocols(protocol, core, write):
    raw = pickle.dumps(FEATURES, protocol)
    if protocol < 4:  # whose names have no length
        raw = raw.replace(b"numpy._core.", b"numpy." + core + b".")
    features = penult.legacy.load_features(write(raw))
    assert features.keys() == FEATURES.keys()
    for path, vector in features.items():
        native = FEATURES[path].dtype.newbyteorder("=")
        np.testing.assert_array_equal(vector, FEATURES[path].astype(native), strict=True)


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize(
    "content",
    [
        {"a": [1, 2.5, -3]},
        {"a": (1, 2.5, -3)},
        {"a": [np.float32(1), 2.5, -3]},
        {b"a": [1, 2.5, -3]},
        OrderedDict(a=[1, 2.5, -3]),
    ],
)
def test_lists_of_numbers_are_vectors(protocol, content, write):
    features = penult.legacy.load_features(write(pickle.dumps(content, protocol)))
    np.testing.assert_array_equal(features["a"], np.array([1, 2.5, -3]), strict=True)


def test_what_penult_exports_is_read(photos, model, tmp_path):
    table = penult.extract(photos / "koala.jpg", model, out=tmp_path / "t.lance")
    table.export(tmp_path / "t.pkl")
    features = penult.legacy.load_features(tmp_path / "t.pkl")
    np.testing.assert_array_equal(features["koala.jpg"], table.numpy()[0])


def array(code=b"f4", shape=b"K\2\x85", content=b"U\x08" + bytes(8), order=b"<", more=b"NNN"):
    """The opcodes of an array, each part of which can be a wrong one."""
    return (
        b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\0\x85U\1b\x87R(K\1"
        + shape
        + b"cnumpy\ndtype\nU%c%bK\0K\1\x87R(K\3U%c%b" % (len(code), code, len(order), order)
        + more
        + b"J\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb\x89"
        + content
        + b"tb"
    )


def item(value):
    return b"\x80\2}U\1a" + value + b"s."


class Hostile:
    """Asks for a call when it is unpickled."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize(
    ("function", "name"),
    [
        (os.system, f"{os.name}.system"),
        (eval, "eval"),
        (getattr, "getattr"),
        (np.load, "load"),
        (bytearray, "bytearray"),
    ],
)
def test_whatever_else_is_asked_for_is_refused_by_name(function, name, protocol, refusal):
    message = refusal(pickle.dumps({"a": Hostile(function, 10)}, protocol), UnsafeError)
    assert "asks for the global '" in message
    assert f"{name}', which is code, not data; if you trust it, load it where" in message


def test_known_ways_to_run_code_are_refused_and_nothing_is_imported(refusal):
    before = set(sys.modules)
    for dotted in HOSTILE.read_text(encoding="utf-8").split():
        module, _, name = dotted.encode().rpartition(b".")
        refusal(item(b"c%b\n%b\nU\4echo\x85R" % (module, name)), UnsafeError)
    assert set(sys.modules) == before


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"PK\3\4 and more", r"begins with b'PK\x03\x04 and', so isn't a pickled dict"),
        (b"\x80\2].", "holds a list, expected a dict from path to vector"),
        (b"\x80\2}..", "goes on after its end"),
        (b"\x80\2}", "pickle exhausted before seeing STOP"),
        (b"\x80\2}K\1]s.", "a key is a int, expected a path"),
        (b"\x80\2}(X\1\0\0\0a]U\1a]u.", "two of its paths are the same"),
        (b"(S'a'\nNd.", "what belongs to 'a' is no array of numbers"),
        (b"(S'a\nNd.", "a text that isn't as Python 2 writes it"),
        (b"(S'\\q'\nNd.", "a text that isn't as Python 2 writes it"),
        (b"(S'a'", "no newline found after a text"),
        (b"(Va\\uzzzz\nNd.", "malformed pickle"),
        (b"(I" + b"9" * 9000 + b"\nNd.", "malformed pickle"),
        (b"(Pid\n.", "opcode PERSID, which no such file needs"),
        (b"()Q.", "a persistent id of something outside the file"),
        (item(b"]U\1ba"), "what belongs to 'a' is no array of numbers"),
        (item(b"]\x8a\xff" + b"\x7f" * 255 + b"a"), "is no array of numbers"),
        (item(b"cnumpy\ndtype\n"), "is no array of numbers"),
        (item(b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n\x85R"), "is no array"),
        (item(b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\ndtype\n\x85R"), "of a subclass"),
        (item(b"cnumpy\nndarray\n)R"), "a call of something that isn't a function"),
        (item(array(b"O8", content=b"]")), "an array of other things than real numbers"),
        (item(array(b"S4")), "an array of other things than real numbers isn't read"),
        (item(array(b"V4")), "an array of other things than real numbers isn't read"),
        (item(array(b"f9")), "an array of other things than real numbers isn't read"),
        (item(array(more=b"N(U\1xtN")), "the state of a type that isn't a number's"),
        (item(array(order=b"!")), "a byte order that is none"),
        (item(array(shape=b"K\3\x85")), "an array of shape (3,) in 8 bytes"),
        (item(array(shape=b"J\xff\xff\xff\x7f\x85")), "an array of shape (2147483647,) in 8 bytes"),
        (item(array(shape=b"J\xfe\xff\xff\xff\x85")), "whose shape isn't a tuple of sizes"),
        (item(array(shape=b"(" + b"K\1" * 65 + b"t")), "whose shape isn't a tuple of sizes"),
        (item(array(shape=b"K\2")), "whose shape isn't a tuple of sizes"),
        (item(array(content=b"]K\1a")), "an array without type or bytes"),
        (item(array(content=b"X\x08\0\0\0abcdefgh")), "an array without type or bytes"),
        (item(b"cnumpy\ndtype\nU\2f4\x85RNb"), "the state of a type that isn't a number's"),
        (item(b"c_codecs\nencode\nX\1\0\0\0aU\3hex\x86R"), "bytes that aren't a text in Latin-1"),
    ],
)
def test_wrong_pickles_are_refused_with_a_reason(raw, reason, refusal):
    assert reason in refusal(raw)


def test_the_array_of_the_tests_above_is_right(write):
    assert penult.legacy.load_features(write(item(array())))["a"].tolist() == [0, 0]


def test_errors_of_the_system_are_told(tmp_path):
    with pytest.raises(CheckpointError, match=r"'.*none.pkl': no such file or directory; name a"):
        penult.legacy.load_features(tmp_path / "none.pkl")
    with pytest.raises(CheckpointError, match=r"a folder; name a \.pkl of"):
        penult.legacy.load_features(tmp_path)


TEXT = b"X" + struct.pack("<I", 1 << 20) + b"t" * (1 << 20)
NUMBERS = b"](" + b"K\1" * 20_000 + b"e"
PAIRS = b"](" + b"](K\1Ne" * 20_000 + b"e"
BOMBS = {
    "length": item(b"\x8e" + struct.pack("<Q", 1 << 62)),
    "text's length": item(b"\x8d" + struct.pack("<Q", 1 << 62)),
    "memo's index": b"\x80\2}r\xff\xff\xff\xffj\xfe\xff\xff\xff.",
    "depth": b"\x80\2}" + b"(" * 300_000,
    "dicts": b"\x80\2" + b"}" * 300_000,
    "shape": item(array(shape=b"(" + b"J\xff\xff\xff\x7f" * 32 + b"t")),
    "texts": b"\x80\2]c_codecs\nencode\nq\0" + TEXT + b"U\6latin1\x86q\1" + b"h\0h\1R" * 30_000,
    "dicts of pairs": b"\x80\2]ccollections\nOrderedDict\nq\0"
    + PAIRS
    + b"\x85q\1"
    + b"h\0h\1R" * 30_000,
    "one list as many": b"\x80\2}U\1b"
    + NUMBERS
    + b"q\1s("
    + b"".join(b"X\4\0\0\0%04dh\1" % number for number in range(9_000))
    + b"u.",
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_take_little_memory(name, refusal):
    tracemalloc.start()
    try:
        refusal(BOMBS[name])
        assert tracemalloc.get_traced_memory()[1] < 64 << 20
    finally:
        tracemalloc.stop()


def mutant(raw, rng):
    """The same bytes with one to three of them changed, cut out or doubled."""
    for _ in range(rng.randint(1, 3)):
        start = rng.randrange(len(raw))
        end = start + rng.choice((1, 1, 1, 2, 8))
        new = [rng.randbytes(1), b"", raw[start:end] * 2, rng.choice((b"\0", b"\xff", b"R", b"b"))]
        raw = raw[:start] + rng.choice(new) + raw[end:]
    return raw


@pytest.mark.parametrize("protocol", range(6))
def test_mutants_end_in_one_error_or_in_vectors(protocol, write):
    rng = random.Random(protocol)
    pickles = [pickle.dumps(FEATURES, protocol), PYTHON_2[min(protocol, 2)]]
    for _ in range(MUTANTS):
        path = write(mutant(rng.choice(pickles), rng))
        with suppress(CheckpointError):
            vectors = penult.legacy.load_features(path).values()
            assert {vector.dtype.kind for vector in vectors} <= set("iuf")
