"""Make the small references of tests/reference/modern from a folder of all: `make_modern.py ALL`.

Of a network stay the tensors that images need, one input, made of a seed, and what the library made
of it: features, logits, and 16 values of each module that is a layer of ours. Text towers lie
apart, in tests/reference/modern/text, with two texts: the ids, and what the library made of them.
"""

import json
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "nets"))

import modern  # noqa: E402 -- the path is set above

from penult.graph import variables  # noqa: E402
from penult.nets.text import read_text  # noqa: E402

NETWORKS = (
    "open_clip/ViT-H-14_depth4",
    "open_clip/coca_ViT-B-32",
    "open_clip/RN50-quickgelu",
    "openai/ViT-B-32",
    "timm/convnextv2_tiny",
    "timm/deit_base_distilled_patch16_224.fb_in1k_depth4",
    "timm/mobilenetv3_small_100.lamb_in1k",
    "timm/mobilenetv4_conv_small",
    "timm/regnety_016",
    "timm/resnetv2_50x1_bit.goog_distilled_in1k",
    "timm/seresnext50_32x4d.racm_in1k",
    "timm/tf_efficientnet_b0.ns_jft_in1k",
    "timm/vit_giant_patch14_dinov2.lvd142m_224_depth2",
    "timm/vit_small_plus_patch16_dinov3.lvd1689m",
    "torchvision/alexnet",
    "torchvision/densenet121",
    "torchvision/googlenet",
    "torchvision/inception_v3",
    "torchvision/mnasnet1_0",
    "torchvision/resnet18",
    "torchvision/shufflenet_v2_x1_0",
    "torchvision/squeezenet1_1",
    "torchvision/vit_b_16",
    "transformers/chinese_clip_vit_base_patch16_depth4",
    "transformers/dinov2_with_registers_small",
    "transformers/dinov3_convnext_tiny",
    "transformers/dinov3_vits16plus",
    "transformers/mobilenet_v2_1.0_224",
    "transformers/resnet_50",
    "transformers/siglip_so400m_patch14_384_depth4",
)
TEXTS = (
    "open_clip/ViT-bigG-14_depth2",
    "open_clip/coca_ViT-B-32",
    "transformers/chinese_clip_vit_base_patch16_depth4",
    "transformers/siglip_so400m_patch14_384_depth4",
)
LABELS = {"id2label", "label2id"}


def shorten(name: str, folder: Path) -> None:
    """Write one reference."""
    reference = modern.Reference(name, folder)
    manifest = reference.manifest
    graph = modern.build(reference.design, manifest["input_size"][-1])
    needed = {variable.name for variable in variables(graph.values())}
    kept = {"input_resolution"} | needed
    config = manifest.get("config")
    short = {
        "architecture": manifest["architecture"],
        "config": config and {k: v for k, v in config.items() if k not in LABELS},
        "input_size": manifest["input_size"],
        "batch": {"seeds": [7 if manifest["batch"].get("preprocess") else 9]},
        "state_dict": [each for each in manifest["state_dict"] if each[0] in kept],
        "kept": [each for each in manifest["kept"] if each in needed],
        "fingerprints": {
            module: {key: print_[key] for key in ("shape", "std", "index", "seeded")}
            for module, print_ in manifest["fingerprints"].items()
            if module in graph
        },
    }
    arrays = {k: v[2:3] for k, v in reference.golden().items() if k in {"features", "logits"}}
    write(HERE / "modern", name, short, arrays)


def shorten_text(name: str, folder: Path) -> None:
    """Write the text tower of one reference."""
    reference = modern.Reference(name, folder)
    manifest, golden = reference.manifest, reference.golden()
    tower = read_text(reference.shapes, reference.card)
    needed = {variable.name for variable in variables([tower.design.graph()])}
    needed.add(tower.design.table.name)
    config = {k: v for k, v in manifest["config"].items() if not k.startswith("vision")}
    for part in (config, config.get("text_config", {})):
        for label in LABELS & part.keys():
            del part[label]
    short = {
        "architecture": manifest["architecture"],
        "config": config,
        "state_dict": [each for each in manifest["state_dict"] if each[0] in needed],
        "kept": [],
    }
    features = golden.get("text_features_normalized", golden["text_features"])
    arrays = {"input_ids": golden["input_ids"][[0, -1]], "text_features": features[[0, -1]]}
    write(HERE / "modern" / "text", name, short, arrays)


def write(folder: Path, name: str, manifest: dict, arrays: dict) -> None:
    """Write a reference's two files."""
    for part in ("manifests", "golden"):
        (folder / part / name).parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(manifest, separators=(",", ":"))
    (folder / f"manifests/{name}.json").write_text(f"{text}\n", encoding="utf-8")
    np.savez_compressed(folder / f"golden/{name}.npz", **arrays)


if __name__ == "__main__":
    for network in NETWORKS:
        shorten(network, Path(sys.argv[1]))
    for network in TEXTS:
        shorten_text(network, Path(sys.argv[1]))
