"""Devices are found, or refused with what to install; nothing falls back to the processor."""

import re
import sys
from collections import Counter
from types import SimpleNamespace

import numpy as np
import onnxruntime as ort
import pytest

from penult import graph
from penult.engine import Cut, OnnxRuntime, devices, engine_on
from penult.engine.devices import DEVICES, Provider, find
from penult.errors import NetworkError, UsageError
from penult.graph import Constant
from penult.onnx.writer import to_onnx

pytestmark = pytest.mark.skipif(
    not hasattr(ort.InferenceSession, "get_provider_graph_assignment_info"),
    reason="other devices take ONNX Runtime 1.24",
)

BATCH = np.random.default_rng(0).normal(size=(7, 2, 2, 1)).astype(np.float32)


def dense() -> Cut:
    """Five sums of the colours of 2×2 images of one channel."""
    kernel = np.random.default_rng(1).normal(size=(5, 4)).astype(np.float32)
    weights = Constant(kernel.shape, (), lambda: kernel), Constant((5,), (), lambda: kernel[:, 0])
    return to_onnx({"sums": graph.dense(graph.flatten(graph.images(2, 1)), *weights)}, lambda v: v)


@pytest.fixture
def installed(monkeypatch):
    """Packages that are installed, and plug-ins that were registered; ONNX Runtime's lists."""
    here = SimpleNamespace(packages={"onnxruntime"}, registered=Counter(), devices=[], built_in=[])
    monkeypatch.setattr(devices, "_has", lambda package: package in here.packages)
    monkeypatch.setattr(ort, "get_ep_devices", lambda: here.devices)
    monkeypatch.setattr(ort, "get_available_providers", lambda: here.built_in)

    def register(name, library):
        here.registered[library] += 1

    monkeypatch.setattr(ort, "register_execution_provider_library", register)
    for device in DEVICES.values():
        module = SimpleNamespace(get_library_path=lambda plugin=device.plugin: f"{plugin}.so")
        monkeypatch.setitem(sys.modules, device.plugin.replace("-", "_"), module)
    return here


def plugged(provider, **metadata):
    return SimpleNamespace(ep_name=provider, ep_metadata=metadata)


def test_a_device_that_there_is_not_is_refused():
    with pytest.raises(UsageError, match=r"^device must be cpu, cuda, .* or webgpu, not 'gpu'$"):
        engine_on("gpu")


@pytest.mark.parametrize(
    ("device", "packages", "message"),
    [
        (
            "cuda",
            "",
            "has no CUDAExecutionProvider: pip uninstall -y onnxruntime, "
            "then pip install 'onnxruntime-gpu[cuda,cudnn]'",
        ),
        (
            "cuda",
            "onnxruntime-gpu",
            "onnxruntime and onnxruntime-gpu overwrite each other: pip uninstall -y onnxruntime "
            "onnxruntime-gpu, then pip install 'onnxruntime-gpu[cuda,cudnn]'",
        ),
        (
            "openvino",
            "onnxruntime-gpu",
            "has no OpenVINOExecutionProvider: pip install onnxruntime-ep-openvino",
        ),
        (
            "openvino-gpu",
            "onnxruntime-ep-openvino",
            "onnxruntime-ep-openvino finds no device here that it knows: pip uninstall -y "
            "onnxruntime onnxruntime-ep-openvino, then pip install 'onnxruntime-openvino'",
        ),
        ("coreml", "", "has no CoreMLExecutionProvider: onnxruntime has it on macOS only"),
        ("webgpu", "", "has no WebGpuExecutionProvider: pip install onnxruntime-ep-webgpu"),
        (
            "webgpu",
            "onnxruntime-ep-webgpu",
            "onnxruntime-ep-webgpu finds no device here that it knows: leave out --device",
        ),
    ],
)
def test_a_device_that_is_not_here_says_what_to_install(installed, device, packages, message):
    installed.packages.update(packages.split())
    with pytest.raises(NetworkError, match=rf"^--device {device}: .*{re.escape(message)}$"):
        find(device)


def test_a_plug_in_is_registered_once_and_gives_the_device_meant(installed):
    installed.packages.add("onnxruntime-ep-openvino")
    gpu, cpu = (plugged("OpenVINOExecutionProvider", ov_device=kind) for kind in ("GPU", "CPU"))
    with pytest.raises(NetworkError, match="finds no device"):
        find("openvino")
    installed.devices = [plugged("OtherExecutionProvider"), gpu, cpu]
    assert find("openvino").plugged == [cpu]
    assert find("openvino-gpu").plugged == [gpu]
    assert installed.registered == {"onnxruntime-ep-openvino.so": 1}


def test_a_plug_in_that_cannot_be_loaded_says_why(installed, monkeypatch):
    installed.packages.add("onnxruntime-ep-webgpu")

    def register(name, library):
        raise RuntimeError("libvulkan.so.1: cannot open\nshared object file")

    monkeypatch.setattr(ort, "register_execution_provider_library", register)
    with pytest.raises(NetworkError, match=r"^onnxruntime-ep-webgpu can't be loaded: libvulkan.*"):
        find("webgpu")


def test_an_old_version_is_told(installed, monkeypatch):
    monkeypatch.setattr(ort, "InferenceSession", object)
    assert find("cpu").device.is_processor
    with pytest.raises(NetworkError, match=r"takes ONNX Runtime 1.24 or later, .* -U onnxruntime$"):
        find("cuda")


def test_all_compute_in_float32():
    assert DEVICES["cuda"].options["use_tf32"] == "0"
    assert (
        '{"GPU": {"INFERENCE_PRECISION_HINT": "f32"}}' in DEVICES["openvino-gpu"].options.values()
    )
    assert DEVICES["coreml"].options["MLComputeUnits"] == "CPUAndGPU"


@pytest.mark.parametrize("as_plug_in", [True, False])
def test_a_device_runs_what_the_processor_does(as_plug_in, monkeypatch):
    expected = OnnxRuntime(dense()).run(BATCH)["sums"]
    monkeypatch.setattr(devices, "_PROCESSOR", "another")  # so that ONNX Runtime's is a device
    if not as_plug_in:
        monkeypatch.setattr(ort, "get_ep_devices", list)
    provider = find("cpu")
    assert len(provider.plugged) == as_plug_in
    engine = OnnxRuntime(dense(), provider=provider)
    assert engine.calls == 1
    np.testing.assert_allclose(engine.run(BATCH)["sums"], expected, rtol=1e-6)


@pytest.mark.filterwarnings("ignore:Specified provider 'CUDAExecutionProvider' is not in")
@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        ("no libcublas.so.13", r"no libcublas.so.13: pip install 'onnxruntime-gpu\[cuda,cudnn\]' "),
        ("", "its drivers or libraries are missing: see its guide "),
    ],
)
def test_a_session_that_fell_back_is_refused_with_the_model(trouble, words):
    if "CUDAExecutionProvider" in ort.get_available_providers():
        pytest.skip("needs an ONNX Runtime without CUDA")
    provider = Provider("cuda", DEVICES["cuda"], trouble=trouble)
    with pytest.raises(NetworkError, match=f"can't start its CUDAExecutionProvider: {words}"):
        OnnxRuntime(dense(), provider=provider)


def test_a_network_in_half_precision_is_refused():
    half = dense()._replace(name="'n.onnx'", precision="float16")
    with pytest.raises(NetworkError, match=r"^'n.onnx' computes in float16, cuda in float32, "):
        OnnxRuntime(half, provider=Provider("cuda", DEVICES["cuda"]))


def session(**nodes):
    """A session that runs so many nodes of each kind on the device, and a convolution elsewhere."""
    placed = {"CUDAExecutionProvider": nodes, "CPUExecutionProvider": {"Shape": 3, "Conv": 1}}
    parts = [
        SimpleNamespace(
            ep_name=name,
            get_nodes=lambda kinds=kinds: [
                SimpleNamespace(op_type=k) for k in Counter(kinds).elements()
            ],
        )
        for name, kinds in placed.items()
    ]
    return SimpleNamespace(
        get_providers=lambda: list(placed), get_provider_graph_assignment_info=lambda: parts
    )


def test_heavy_work_that_is_left_to_the_processor_is_refused():
    provider = Provider("cuda", DEVICES["cuda"])
    with pytest.raises(NetworkError, match=r"^'n.onnx': cuda leaves 1 of its 52 convolutions and "):
        provider.check(session(Conv=50, MatMul=1, Relu=9), "'n.onnx'")
