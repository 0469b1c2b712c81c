"""Files in which one count grows: what reading them takes grows with it and no faster, or stops."""

import time
import tracemalloc
from contextlib import suppress

import pytest
from hurtful import KINDS

from penult.checkpoints import open_checkpoint
from penult.errors import CheckpointError
from penult.onnx.file import OnnxFile

PART = 2000  # of a kind's largest count, in the smaller file
TIMES = 20  # as many in the larger one
SLACK = 2.5  # times what is linear
SECONDS, MEMORY = 0.5, 2 << 20  # beside it; bytes


def read(path):
    """Read all that is in a file."""
    if path.suffix == ".onnx":
        file = OnnxFile(path)
        return [file.read(name).shape for name in file.tensors]
    checkpoint = open_checkpoint(path)
    return [checkpoint[name].shape for name in checkpoint]


def cost(path):
    """Seconds of a core, and bytes at the peak of what Python and NumPy hold."""
    start = time.process_time()
    with suppress(CheckpointError):
        read(path)
    seconds = time.process_time() - start
    tracemalloc.start()
    with suppress(CheckpointError):
        read(path)
    memory = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return seconds, memory


@pytest.mark.parametrize("name", KINDS)
def test_the_cost_grows_no_faster_than_the_count(name, tmp_path):
    kind = KINDS[name]
    cost(kind.write(tmp_path, 10))  # everything is imported
    few, few_bytes = cost(kind.write(tmp_path, kind.most // PART))
    many, many_bytes = cost(kind.write(tmp_path, kind.most // PART * TIMES))
    assert many <= SLACK * TIMES * few + SECONDS
    assert many_bytes <= SLACK * TIMES * few_bytes + MEMORY


LIMITED = {  # a count beyond the limit, and what is said
    "tar: digits in a header": (20_000, "more than 200000000 steps for its headers"),
    "tar: records in a header": (20_000, "more than 200000000 steps for its headers"),
    "tar: headers": (1010, "more than 1000 members"),
    "tar: members": (1010, "more than 1000 members"),
    "tar: zeros": (80_000_000, "80000000 bytes, [0-9]+ are the limit"),
    "gzip: members": (60_000, "more than 50000 gzipped members"),
    "V2: extents": (10_000, "field 1 more than 64 times"),
    "V2: dimensions": (100, "field 2 more than 64 times"),
    "V2: slices": (20_000, "more than 10000 slices"),
    "V2: tensors": (20_010, "more than 20000 tensors"),
    "V2: long keys": (5000, "more than 8388608 bytes of keys"),
    "V2: attributes of a graph": (1_100_000, "more than 1000000 fields"),
    "V2: nodes of a graph": (110_000, "more than 100000 fields in a message"),
    "V2: texts": (110_000, "more than 100000 texts"),
    "V1: blocks in turn": (10_010, "more than 20000 slices of variables"),
    "V1: snappy": (20_000_000, "more than [0-9]+ bytes to be unpacked"),
    "V1: fields": (1010, "more than 1000 fields"),
    "ONNX: dimensions": (100, "more than 64 numbers"),
    "ONNX: integers": (1_100_000, "more than 1000000 fields"),
    "ONNX: listed numbers": (20_000_000, "20000000 numbers one by one"),
    "ONNX: nodes": (10_010, "10012 nodes, at most 10000 are read"),
    "ONNX: long names": (400, "more than 3145728 bytes of names"),
    "ONNX: weights": (10_010, "10010 weights, at most 10000 are read"),
    "ONNX: sides": (100, "field 1 more than 64 times"),
    "JSON: lists": (300_000, "header of more than 500000 values"),
    "JSON: wide letters": (9_000_000, "header of [0-9]+ bytes, at most 8388608 expected"),
    "JSON: tensors": (20_010, "more than 20000 tensors"),
    "PyTorch: views": (100, "more than [0-9]+ bytes in tensors, which share what is stored"),
    "PyTorch: expanded": (100, "more than [0-9]+ bytes in tensors, which share what is stored"),
    "HDF5: zeros": (80_000_000, "more than [0-9]+ bytes in chunks"),
    "NumPy: zeros in one": (80_000_000, "'w.npy' is the largest; unpack the archive"),
}


@pytest.mark.parametrize("name", LIMITED)
def test_a_limit_is_named(name, tmp_path):
    count, reason = LIMITED[name]
    path = KINDS[name].write(tmp_path, count)
    with pytest.raises(CheckpointError, match=reason) as caught:
        read(path)
    assert len(str(caught.value)) <= 300
    assert str(caught.value).isprintable()
