"""Devices that ONNX Runtime computes on, and what makes each of them exact.

It knows the processor by itself, others by execution providers. These are plug-ins beside it, or
built into a package that takes its place (`onnxruntime-gpu`, which shares its folder). Where one
can't start, ONNX Runtime computes on the processor without a word, so that is asked and refused.

Options of providers: https://onnxruntime.ai/docs/execution-providers.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass, field
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from io import StringIO
from typing import Any, Literal, NamedTuple, TypeAlias

import onnxruntime as ort

from penult.errors import NetworkError, UsageError
from penult.util.machine import cores
from penult.util.text import one_line, quoted

DeviceName: TypeAlias = Literal["cpu", "cuda", "openvino", "openvino-gpu", "coreml", "webgpu"]

HEAVY = {"Conv", "ConvTranspose", "Gemm", "MatMul"}  # operators with nearly all multiply-adds
ASSIGNMENT = "session.record_ep_graph_assignment_info"
_PROCESSOR = "CPUExecutionProvider"
_RUNTIMES = ("onnxruntime", "onnxruntime-gpu", "onnxruntime-openvino")  # which share a folder


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """What there is to know of a device.

    Attributes:
        provider: ONNX Runtime's name of what computes on it.
        options: What makes it compute in float32, and alike each time.
        built_in: Further options, of a provider that is built in.
        metadata: What tells the device from others of a plug-in.
        batch: How many images a call is best given.
        plugin: The package that has its provider as a plug-in.
        package: The package that has it built in, in the place of `onnxruntime`.
        elsewhere: Where else it is to be had.
        prepare: Loads what it needs; returns why it couldn't.
    """

    provider: str
    options: Mapping[str, str] = field(default_factory=dict)
    built_in: Mapping[str, str] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)
    batch: int = 32
    plugin: str = ""
    package: str = ""
    elsewhere: str = "leave out --device"
    prepare: Callable[[], str] = lambda: ""

    @property
    def is_processor(self) -> bool:
        """Whether ONNX Runtime computes by itself."""
        return self.provider == _PROCESSOR


def _load_cuda() -> str:
    """Load NVIDIA's libraries where pip put them, as ONNX Runtime doesn't by itself."""
    said = StringIO()
    with redirect_stdout(said):
        ort.preload_dlls()
    failed = [line for line in said.getvalue().splitlines() if line.startswith("Failed to load")]
    return failed[0] if failed else ""


def _openvino(kind: str, batch: int) -> Device:
    # of float32 it would make bfloat16 or float16 where the hardware has them
    config: dict[str, str | int] = {"INFERENCE_PRECISION_HINT": "f32"}
    if kind == "CPU":
        config["INFERENCE_NUM_THREADS"] = cores()  # it doesn't know a container's limits
    return Device(
        provider="OpenVINOExecutionProvider",
        options={"load_config": json.dumps({kind: config})},
        built_in={"device_type": kind},
        metadata={"ov_device": kind},
        batch=batch,
        plugin="onnxruntime-ep-openvino",
        package="onnxruntime-openvino",
    )


DEVICES: Mapping[str, Device] = {
    "cpu": Device(provider=_PROCESSOR, batch=4),  # 8 images are no faster
    "cuda": Device(
        provider="CUDAExecutionProvider",
        # the search by default times all kernels, so that chance chooses
        options={"use_tf32": "0", "cudnn_conv_algo_search": "HEURISTIC"},
        package="onnxruntime-gpu[cuda,cudnn]",
        prepare=_load_cuda,
    ),
    "openvino": _openvino("CPU", batch=12),  # 32 are slower
    "openvino-gpu": _openvino("GPU", batch=32),
    "coreml": Device(
        provider="CoreMLExecutionProvider",
        # the Neural Engine, and models of the older format, compute in float16
        options={
            "ModelFormat": "MLProgram",
            "MLComputeUnits": "CPUAndGPU",
            "AllowLowPrecisionAccumulationOnGPU": "0",
        },
        elsewhere="onnxruntime has it on macOS only",
    ),
    "webgpu": Device(provider="WebGpuExecutionProvider", plugin="onnxruntime-ep-webgpu"),
}


class Provider(NamedTuple):
    """What computes on a device, found here.

    Attributes:
        name: The device's.
        device: What there is to know of it.
        plugged: The devices of its plug-in; none if it is built in.
        trouble: Why it may not start.
    """

    name: str
    device: Device
    plugged: Sequence[Any] = ()
    trouble: str = ""

    def add_to(self, options: ort.SessionOptions) -> list[tuple[str, dict[str, str]]] | None:
        """Have a session compute on the device.

        Returns:
            What to give as its `providers`.
        """
        if not self.device.is_processor:
            options.add_session_config_entry(ASSIGNMENT, "1")
            options.use_deterministic_compute = True
        if self.plugged:
            options.add_provider_for_devices(self.plugged[:1], dict(self.device.options))
            return None
        return [(self.device.provider, {**self.device.options, **self.device.built_in})]

    def check(self, session: ort.InferenceSession, network: str) -> None:
        """Refuse a session that computes elsewhere, with the network's name.

        Raises:
            NetworkError: The provider didn't start, or leaves heavy work to the processor.
        """
        if self.device.is_processor:
            return
        wanted = self.device.provider
        if wanted not in session.get_providers():
            why = one_line(self.trouble) if self.trouble else "its drivers or libraries are missing"
            remedy = f"pip install '{self.device.package}'" if self.trouble else "see its guide"
            raise NetworkError(
                f"--device {self.name}: ONNX Runtime can't start its {wanted}: {why}: "
                f"{remedy} (docs/guides/devices.md)"
            )
        parts = session.get_provider_graph_assignment_info()
        heavy = [p.ep_name for p in parts for node in p.get_nodes() if node.op_type in HEAVY]
        if left := sum(name != wanted for name in heavy):
            raise NetworkError(
                f"{network}: {self.name} leaves {left} of its {len(heavy)} convolutions and "
                f"matrix products to the processor: leave out --device {self.name}"
            )


def find(name: str) -> Provider:
    """Find what computes on a device.

    Raises:
        UsageError: No device has the name.
        NetworkError: It isn't here; the message says what to install.
    """
    if name not in DEVICES:
        *most, last = DEVICES
        raise UsageError(f"device must be {', '.join(most)} or {last}, not {quoted(name)}")
    device = DEVICES[name]
    if device.is_processor:
        return Provider(name, device)
    if not hasattr(ort.InferenceSession, "get_provider_graph_assignment_info"):
        raise NetworkError(
            f"--device {name} takes ONNX Runtime 1.24 or later, not {ort.__version__}: "
            f"pip install -U {' '.join(_installed())}"
        )
    trouble = device.prepare()
    plugged = _plugged(device)
    if not plugged and device.provider not in ort.get_available_providers():
        raise NetworkError(f"--device {name}: {_reason(device)}: {_remedy(device)}")
    return Provider(name, device, plugged, trouble)


def _plugged(device: Device) -> list[Any]:
    """List the devices of a plug-in, which is registered if it is installed and wasn't yet."""
    found = _listed(device)
    if not found and _has(device.plugin):
        try:
            library = import_module(device.plugin.replace("-", "_")).get_library_path()
            ort.register_execution_provider_library(device.plugin, library)
        except Exception as exc:
            if "already registered" not in str(exc):
                reason = one_line(str(exc))
                raise NetworkError(f"{device.plugin} can't be loaded: {reason}") from exc
        found = _listed(device)
    return found


def _listed(device: Device) -> list[Any]:
    return [
        each
        for each in ort.get_ep_devices()
        if each.ep_name == device.provider and device.metadata.items() <= each.ep_metadata.items()
    ]


def _reason(device: Device) -> str:
    if _has(device.plugin):
        return f"{device.plugin} finds no device here that it knows"
    if len(_installed()) > 1 and device.package.partition("[")[0] in _installed():
        return f"{' and '.join(_installed())} overwrite each other"
    return f"onnxruntime {ort.__version__} has no {device.provider}"


def _remedy(device: Device) -> str:
    if device.plugin and not _has(device.plugin):
        return f"pip install {device.plugin}"
    if device.package:
        others = " ".join([*_installed(), *([device.plugin] if device.plugin else [])])
        return f"pip uninstall -y {others}, then pip install '{device.package}'"
    return device.elsewhere


def _installed() -> list[str]:
    """The packages of ONNX Runtime; where there are several, the last has overwritten others."""
    return [name for name in _RUNTIMES if _has(name)]


def _has(package: str) -> bool:
    with suppress(PackageNotFoundError, ValueError):  # the latter of an empty name
        return bool(version(package))
    return False
