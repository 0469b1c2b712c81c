"""How many of timm's pretrained networks Penult reads: builds them, with the file's very tensors.

    python benchmarks/timm_names.py [vit_*] [--every]

Needs timm and PyTorch beside Penult, in an environment of their own. Networks are made on PyTorch's
`meta` device, so no weights are needed. Prints those that aren't read, with the reason, then how
many of each of timm's modules are; `--every` prints all.
"""

import argparse
import warnings
from collections import Counter
from fnmatch import fnmatchcase

import timm
import torch

from penult.errors import PenultError
from penult.graph import images, variables
from penult.nets.design import Card, Design
from penult.nets.registry import read_designs
from penult.nets.vision_transformer import VisionTransformer

IGNORED = ("num_batches_tracked", "relative_position_index", "attn_mask", "mask_token")


def check(name: str) -> str:
    """Say what is wrong with a network; nothing if all is right."""
    with torch.device("meta"):
        model = timm.create_model(name, pretrained=False)
    shapes = {key: tuple(value.shape) for key, value in model.state_dict().items()}
    try:
        designs = read_designs(shapes, Card("timm", name.partition(".")[0]))
    except PenultError as exc:
        return str(exc)
    if not designs:
        return "not read"
    design = designs[""]
    layers = design.architecture().build(images(design.size), design.classes)
    needed = {v.name: v.shape for v in variables(layers.values())}
    wrong = [key for key, shape in needed.items() if shapes.get(key) != shape]
    left = [key for key in shapes if key not in needed and not key.endswith(IGNORED)]
    if wrong or left:
        return f"needs {wrong[:3]}, leaves {left[:3]}"
    return differences(design, model)


def differences(design: Design, model: torch.nn.Module) -> str:
    """Compare what tensors can't tell of a Vision Transformer."""
    if not isinstance(design, VisionTransformer):
        return ""
    block = model.blocks[0]
    act = str(getattr(block.mlp, "act", ""))
    mine = {
        "heads": design.heads,
        "epsilon": design.epsilon,
        "prefix": design.prefix,
        "pool": {"queries": "map"}.get(design.pool, design.pool),
        "activation": {
            "gelu": "GELU()",
            "gelu_tanh": "GELUTanh()",
            "quick_gelu": "QuickGELU()",
        }.get(design.activation, "SiLU()"),
        "rotary": design.placed < 0,
    }
    theirs = {
        "heads": block.attn.num_heads,
        "epsilon": block.norm1.eps,
        "prefix": model.num_prefix_tokens,
        "pool": model.global_pool,
        "activation": act.replace("GELU(approximate='none')", "GELU()")
        .replace("GELU(approximate='tanh')", "GELUTanh()")
        .replace("GELU(approximate=tanh)", "GELUTanh()"),
        "rotary": getattr(model, "rope", None) is not None,
    }
    return "".join(f"{n} {mine[n]} not {theirs[n]}; " for n in mine if mine[n] != theirs[n])


def main() -> None:
    """Check all that match."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("patterns", nargs="*", default=["*"])
    parser.add_argument("--every", action="store_true", help="print those that are read too")
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore")
    checked: dict[str, str] = {}
    total, good = Counter(), Counter()
    for name in timm.list_pretrained():
        if not any(fnmatchcase(name, pattern) for pattern in arguments.patterns):
            continue
        architecture = name.partition(".")[0]
        if architecture not in checked:
            try:
                checked[architecture] = check(name)
            except Exception as exc:  # noqa: BLE001 -- goes into the report
                checked[architecture] = f"{type(exc).__name__}: {exc}"
        module = timm.models.model_entrypoint(name).__module__.rpartition(".")[2]
        total[module] += 1
        good[module] += not checked[architecture]
        if checked[architecture] or arguments.every:
            print(f"{name:60} {checked[architecture]}", flush=True)
    for module, count in sorted(total.items()):
        print(f"{module:30} {good[module]:5} of {count}")


if __name__ == "__main__":
    main()
