"""Files in which one count grows: what reading them takes grows with it and no faster, or stops."""

import time
import tracemalloc
from pathlib import Path
from runpy import run_path

import pytest

from penult.checkpoints import open_checkpoint
from penult.errors import CheckpointError
from penult.onnx.file import OnnxFile

KINDS = run_path(str(Path(__file__).parents[2] / "benchmarks" / "hurtful.py"))["KINDS"]
TIMES = 4  # as many in the larger file
SLACK = 2.5  # times what is linear
SECONDS, MEMORY = 0.1, 2 << 20  # beside it; bytes


def read(path):
    try:
        if path.suffix == ".onnx":
            file = OnnxFile(path)
            return [file.read(name).shape for name in file.tensors]
        checkpoint = open_checkpoint(path)
        return [checkpoint[name].shape for name in checkpoint]
    except CheckpointError as exc:
        assert len(str(exc)) <= 300
        assert str(exc).isprintable()
        return None


def cost(path):
    """Seconds of a core, and bytes at the peak of what Python and NumPy hold."""
    seconds = []
    for _ in range(2):
        start = time.process_time()
        read(path)
        seconds.append(time.process_time() - start)
    tracemalloc.start()
    try:
        read(path)
        return min(seconds), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", KINDS)
def test_the_cost_grows_no_faster_than_the_count(name, tmp_path):
    kind = KINDS[name]
    read(kind.write(tmp_path, 10))  # everything is imported
    few, few_bytes = cost(kind.write(tmp_path, kind.most // 64))
    many, many_bytes = cost(kind.write(tmp_path, kind.most // 64 * TIMES))
    assert many <= SLACK * TIMES * few + SECONDS
    assert many_bytes <= SLACK * TIMES * few_bytes + MEMORY


LIMITED = {
    "tar: digits in a header": "more than 200000000 steps for its headers",
    "tar: records in a header": "more than 200000000 steps for its headers",
    "tar: headers": "more than 1000 members",
    "tar: members": "more than 1000 members",
    "tar: zeros": "are the limit",
    "gzip: members": "more than 50000 gzipped members",
    "V2: extents": "field 1 more than 64 times",
    "V2: dimensions": "field 2 more than 64 times",
    "V2: slices": "more than 10000 slices",
    "V2: long keys": "more than 8388608 bytes of keys",
    "V2: attributes of a graph": "more than 1000000 fields",
    "V2: texts": "more than 100000 texts",
    "V1: snappy": "bytes to be unpacked",
    "V1: fields": "more than 1000 fields",
    "ONNX: dimensions": "more than 64 numbers",
    "ONNX: integers": "more than 1000000 fields",
    "ONNX: listed numbers": "numbers one by one",
    "ONNX: nodes": "nodes, at most 10000 are read",
    "ONNX: weights": "weights, at most",
    "ONNX: sides": "field 1 more than 64 times",
    "JSON: lists": "values",
    "JSON: wide letters": "header of",
    "JSON: tensors": "values",
    "PyTorch: views": "bytes in tensors, which share what is stored",
    "PyTorch: expanded": "bytes in tensors, which share what is stored",
    "NumPy: zeros in one": "is the largest; unpack the archive",
}


@pytest.mark.parametrize("name", LIMITED)
def test_a_limit_is_named(name, tmp_path, refusal):
    path = KINDS[name].write(tmp_path, KINDS[name].most // 2)
    if path.suffix != ".onnx":
        assert LIMITED[name] in refusal(path)
        return
    with pytest.raises(CheckpointError, match=LIMITED[name]):
        read_strictly(path)


def read_strictly(path):
    file = OnnxFile(path)
    return [file.read(name) for name in file.tensors]
