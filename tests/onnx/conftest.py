import pytest

from penult.onnx.file import OnnxFile

from .onnx_models import onnx_model


@pytest.fixture
def save(tmp_path):
    def save(model):
        path = tmp_path / "net.onnx"
        path.write_bytes(model.SerializeToString())
        return path

    return save


@pytest.fixture
def opened(save):
    def opened(*args, **kwargs):
        return OnnxFile(save(onnx_model(*args, **kwargs)))

    return opened
