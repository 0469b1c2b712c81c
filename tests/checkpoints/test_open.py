import hashlib
import os

import numpy as np
import pytest

from penult.checkpoints import open_checkpoint
from penult.errors import CheckpointError

FORMATS = "formats read: Keras, NumPy, PyTorch, safetensors, TensorFlow, ONNX"


def test_a_missing_file_is_named_with_the_formats(tmp_path, refusal):
    message = refusal(tmp_path / "none.pth")
    assert message.endswith(f"none.pth': no such file or directory; {FORMATS}")


def test_a_folder_is_no_checkpoint(tmp_path, refusal):
    assert refusal(tmp_path).endswith(f": a folder; {FORMATS}")


def test_an_empty_file_is_no_checkpoint(tmp_path, refusal):
    path = tmp_path / "empty.pth"
    path.touch()
    assert refusal(path).endswith(f": an empty file; {FORMATS}")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
def test_a_pipe_is_refused_and_not_waited_for(tmp_path, refusal):
    path = tmp_path / "pipe.pth"
    os.mkfifo(path)
    assert refusal(path).endswith(f": not a regular file; {FORMATS}")


def test_an_impossible_path_is_a_checkpoint_error(tmp_path):
    with pytest.raises(CheckpointError, match="embedded null"):
        open_checkpoint(tmp_path / "nul\0.pth")


def test_a_web_page_saved_as_weights_is_shown(tmp_path, refusal):
    path = tmp_path / "page.pth"
    path.write_bytes(b"<!DOCTYPE html>")
    assert refusal(path).endswith(
        f"begins with b'<!DOCTYP', so isn't a weights file, or lacks its end; {FORMATS}"
    )


def test_the_format_is_recognised_by_content(data, tmp_path):
    path = tmp_path / "weights.safetensors"
    path.write_bytes((data / "zip2.pth").read_bytes())
    assert open_checkpoint(path).format == "PyTorch (zip)"


def test_paths_may_be_texts(data):
    checkpoint = open_checkpoint(str(data / "zip2.pth"))
    assert checkpoint.path == data / "zip2.pth"


def test_messages_escape_control_characters_in_paths(tmp_path):
    path = tmp_path / "new\nline\x1b[31m.pth"
    path.write_bytes(b"nothing much")
    with pytest.raises(CheckpointError) as caught:
        open_checkpoint(path)
    assert r"new\nline\x1b[31m.pth'" in str(caught.value)


def test_long_paths_are_shortened_in_the_middle(tmp_path, refusal):
    path = tmp_path / ("f" * 100) / ("g" * 100) / "weights.pth"
    message = refusal(path)
    assert "…" in message
    assert "weights.pth'" in message


def test_the_digest_is_the_files_sha256(data):
    checkpoint = open_checkpoint(data / "zip2.pth")
    assert checkpoint.digest() == hashlib.sha256((data / "zip2.pth").read_bytes()).hexdigest()


def test_the_digest_is_computed_once(data, tmp_path):
    path = tmp_path / "copy.pth"
    path.write_bytes((data / "zip2.pth").read_bytes())
    checkpoint = open_checkpoint(path)
    first = checkpoint.digest()
    assert checkpoint.digest() is first


def test_arrays_outlive_checkpoint_and_file(data, tmp_path):
    path = tmp_path / "copy.pth"
    path.write_bytes((data / "views_zip.pth").read_bytes())
    array = open_checkpoint(path)["base"]
    path.unlink()
    assert np.array_equal(array, np.arange(60, dtype=np.float32).reshape(3, 4, 5))


def test_asking_whether_a_name_is_there_reads_nothing(write_zip, op):
    path = write_zip(op.state())
    raw = bytearray(path.read_bytes())
    raw[raw.index(b"archive/data/0") + len("archive/data/0")] ^= 1  # spoils the tensor's checksum
    path.write_bytes(raw)
    checkpoint = open_checkpoint(path)
    assert "w" in checkpoint
    assert "v" not in checkpoint
    assert len(checkpoint) == 1


def test_an_unknown_name_is_a_key_error(data):
    checkpoint = open_checkpoint(data / "zip2.pth")
    with pytest.raises(KeyError, match="nothing"):
        checkpoint["nothing"]


def test_what_is_known_of_the_tensors_can_not_be_changed(data):
    checkpoint = open_checkpoint(data / "zip2.pth")
    with pytest.raises(TypeError):
        checkpoint.shapes["conv.weight"] = ()


def test_the_representation_is_one_line(data):
    checkpoint = open_checkpoint(data / "zip2.pth")
    assert repr(checkpoint) == f"<Checkpoint {str(data / 'zip2.pth')!r}: PyTorch (zip), 9 tensors>"
