"""Write the weights files that the tests read, and `expected.npz` with what is in them.

Needs PyTorch and safetensors, which the tests don't:

    python -m venv venv && venv/bin/pip install torch safetensors numpy
    venv/bin/python tests/checkpoints/data/make_fixtures.py

Made with PyTorch 2.13 and safetensors 0.8. `expected.npz` has one array a tensor under
`FILE|NAME`; the files in `refused/` have none, for they can't be read.
"""

import argparse
import collections
import pathlib
import warnings

import numpy as np
import safetensors.torch
import torch

HERE = pathlib.Path(__file__).parent
DTYPES = (
    *(torch.float64, torch.float32, torch.float16, torch.bfloat16),
    *(torch.float8_e4m3fn, torch.float8_e5m2),
    *(torch.int64, torch.int32, torch.int16, torch.int8),
    *(torch.uint64, torch.uint32, torch.uint16, torch.uint8),
    *(torch.bool, torch.complex64, torch.complex128),
)
WIDENED = (torch.bfloat16, torch.float8_e4m3fn, torch.float8_e5m2)

expected: dict[str, np.ndarray] = {}


def put(name: str, content: object, tensors: dict[str, torch.Tensor], **how: object) -> None:
    """Save `content` under `name`, which is expected to be read as `tensors`."""
    torch.save(content, HERE / name, **how)
    expect(name, tensors)


def expect(name: str, tensors: dict[str, torch.Tensor]) -> None:
    for key, tensor in tensors.items():
        plain = tensor.detach()
        plain = plain.float() if plain.dtype in WIDENED else plain
        expected[f"{name}|{key}"] = plain.numpy()


def small_net() -> "collections.OrderedDict[str, torch.Tensor]":
    net = torch.nn.Sequential(
        collections.OrderedDict(
            conv=torch.nn.Conv2d(3, 2, 3), bn=torch.nn.BatchNorm2d(2), fc=torch.nn.Linear(2, 3)
        )
    )
    return net.state_dict()


def every_dtype() -> dict[str, torch.Tensor]:
    tensors = {}
    for dtype in DTYPES:
        raw = torch.randint(0, 256, (6 * dtype.itemsize,), dtype=torch.uint8)
        if dtype == torch.bool:
            raw %= 2
        tensors[str(dtype).removeprefix("torch.")] = raw.view(dtype).reshape(2, 3)
    tensors["e4m3fn.all"] = torch.arange(256, dtype=torch.uint8).view(torch.float8_e4m3fn)
    tensors["e5m2.all"] = torch.arange(256, dtype=torch.uint8).view(torch.float8_e5m2)
    special = [0.0, -0.0, float("inf"), float("-inf"), float("nan"), 1e-40, 3.4e38]
    tensors["bfloat16.special"] = torch.tensor(special).bfloat16()
    tensors["float16.special"] = torch.tensor(special).half()
    for name in ("bfloat16", "float8_e4m3fn", "float8_e5m2", "bool", "float32"):
        tensors[f"{name}.scalar"] = tensors[name][0, 0].clone()
    return tensors


def views() -> dict[str, torch.Tensor]:
    base = torch.arange(60, dtype=torch.float32).reshape(3, 4, 5)
    large = torch.arange(4096, dtype=torch.float32).reshape(64, 64)
    half = torch.arange(24).bfloat16().reshape(4, 6)
    return {
        "base": base,
        "tied": base,
        "transposed": base.permute(2, 0, 1),
        "slice": base[1:, ::2, 1:4],
        "offset": base.flatten()[7:],
        "scalar": base[2, 3, 4],
        "expanded": torch.tensor([[1.0], [2.0]]).expand(2, 5),
        "expanded_scalar": torch.tensor(3.0).expand(4, 4),
        "large": large[::7, 3::5],
        "diagonal": large.diagonal(),
        "windows": torch.arange(10.0).unfold(0, 4, 2),
        "bfloat16_transposed": half.T,
        "bool_slice": (torch.arange(12) % 2 == 0).reshape(3, 4)[:, 1::2],
        "empty": torch.zeros(0),
        "empty_2d": torch.zeros(3, 0, 2),
        "empty_slice": base[3:],
        "channels_last": torch.rand(1, 3, 2, 2).to(memory_format=torch.channels_last),
        "odd_bytes": torch.tensor([1, 2, 3], dtype=torch.uint8),  # unaligns what follows, if legacy
        "after_odd": torch.tensor([1.5, 2.5], dtype=torch.float64),
    }


def with_attributes(tensor: torch.Tensor) -> torch.Tensor:
    tensor.note = {"added": "by hand"}
    return tensor


def write_layouts() -> None:
    net = small_net()
    for protocol in (2, 3, 4, 5):
        put(f"zip{protocol}.pth", net, net, pickle_protocol=protocol)
        legacy = {"pickle_protocol": protocol, "_use_new_zipfile_serialization": False}
        put(f"legacy{protocol}.pth", net, net, **legacy)
    for layout, zipped in (("zip", True), ("legacy", False)):
        how = {"_use_new_zipfile_serialization": zipped}
        put(f"dtypes_{layout}.pth", of_all_dtypes, of_all_dtypes, **how)
        tensors = views()
        put(f"views_{layout}.pth", tensors, tensors, **how)


def write_wrapped() -> None:
    net = small_net()
    model = torch.nn.Linear(2, 2)
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, [2, 3])
    beside = {
        "optimizer": optimizer.state_dict(),
        "lr_scheduler": schedule.state_dict(),
        "epoch": 3,
        "best": np.float64(0.75),
        "lr": 0.125,
        "arch": "small",
        "args": argparse.Namespace(data=pathlib.PosixPath("x"), lr=0.1),
        "random": (1, torch.get_rng_state()[:8].clone()),
        "sizes": torch.Size([1, 2]),
        "device": torch.device("cpu"),
        "dtype": torch.float32,
        "tags": {"a", "b"},
        "counts": collections.Counter("aab"),
        "groups": collections.defaultdict(list, {"x": [1]}),
        "array": np.arange(3),
        "raw": b"bytes",
    }
    for protocol in (2, 4):
        wrapped = {**beside, "model": net}
        put(f"training{protocol}.pth", wrapped, net, pickle_protocol=protocol)
    lightning = {
        "epoch": 1,
        "global_step": 20,
        "pytorch-lightning_version": "2.5.0",
        "state_dict": collections.OrderedDict((f"model.{k}", v) for k, v in net.items()),
        "loops": {"fit_loop": {"state_dict": {}}},
        "callbacks": {"ModelCheckpoint{'monitor': None}": {"best_model_path": "/a/b.ckpt"}},
        "optimizer_states": [optimizer.state_dict()],
        "hyper_parameters": {"width": 2},
    }
    put("lightning.ckpt", lightning, lightning["state_dict"])
    with_averages = {name: value + 1 for name, value in net.items()}
    put("averaged_beside.pth", {"state_dict_ema": with_averages, "state_dict": net}, net)
    put("averaged_only.pth", {"model_ema": with_averages, "epoch": 2}, with_averages)
    put("twice_wrapped.pth", {"model": {"state_dict": net, "version": 2}, "epoch": 1}, net)
    parallel = collections.OrderedDict((f"module.{k}", v) for k, v in net.items())
    put("parallel.pth", parallel, parallel)
    one, two, three = torch.ones(1), torch.ones(2), torch.ones(3)
    nested = {"stem": {"w": one}, "blocks": [{"w": two}, {"w": three, "act": "relu"}], 7: (one,)}
    flat = {"stem.w": one, "blocks.0.w": two, "blocks.1.w": three, "7.0": one}
    put("nested.pth", nested, flat)
    put("list.pth", [one, "text", three], {"0": one, "2": three})


def write_parameters() -> None:
    base = torch.arange(6.0).reshape(2, 3)
    tensors = {
        "parameter": torch.nn.Parameter(base.clone()),
        "frozen": torch.nn.Parameter(base.clone(), requires_grad=False),
        "noted_parameter": with_attributes(torch.nn.Parameter(base.clone())),
        "noted_tensor": with_attributes(base.clone()),
        "noted_uint16": with_attributes(torch.tensor([1, 65535], dtype=torch.uint16)),
        "buffer": torch.nn.Buffer(base.clone()),
    }
    put("parameters.pth", tensors, tensors)


def write_refused() -> None:
    (HERE / "refused").mkdir(exist_ok=True)
    ones = torch.ones(2, 2)
    spoiled = {
        "quantised": torch.quantize_per_tensor(ones, 0.5, 0, torch.quint8),
        "sparse": ones.to_sparse(),
        "meta": torch.ones(2, device="meta"),
        "conjugated": torch.ones(2, dtype=torch.complex64).conj(),
        "fnuz": ones.to(torch.float8_e4m3fnuz),
    }
    for name, tensor in spoiled.items():
        torch.save({"good": ones, "bad": tensor}, HERE / f"refused/{name}.pth")
    torch.save(torch.nn.Linear(2, 2), HERE / "refused/module.pth")
    torch.serialization.set_crc32_options(False)
    torch.save({"good": ones}, HERE / "refused/no_checksums.pth")
    torch.serialization.set_crc32_options(True)
    torch.save({"epoch": 3}, HERE / "refused/no_tensors.pth")


def write_safetensors() -> None:
    writable = {n: t for n, t in of_all_dtypes.items() if t.dtype != torch.complex128}
    safetensors.torch.save_file(writable, HERE / "dtypes.safetensors")
    expect("dtypes.safetensors", writable)
    tensors = {"a": torch.ones(3), "empty": torch.zeros(2, 0), "scalar": torch.tensor(2.5)}
    facts = {"format": "pt", "note": "ünïcode"}
    safetensors.torch.save_file(tensors, HERE / "plain.safetensors", metadata=facts)
    expect("plain.safetensors", tensors)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    torch.manual_seed(0)
    of_all_dtypes = every_dtype()
    write_layouts()
    write_wrapped()
    write_parameters()
    write_refused()
    write_safetensors()
    np.savez_compressed(HERE / "expected.npz", **expected)
