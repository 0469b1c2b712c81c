"""Read Vision Transformers off the tensors of a file.

Tensors tell widths, depth, patches, tokens, biases and classes. They don't tell how many heads
there are, the activation and epsilon, nor what becomes the features; those come from the library's
own settings beside the file, or follow from what it publishes under such names.
"""

import re
from collections.abc import Mapping
from math import isqrt
from typing import Any

from penult.errors import NetworkError, UsageError
from penult.graph import images, variables
from penult.nets.design import Card, Shapes
from penult.nets.positions import Resampling
from penult.nets.transformer import Activation
from penult.nets.transformers_defaults import DEFAULTS, TOWERS
from penult.nets.vision_transformer import VisionTransformer
from penult.nets.vision_transformer_names import NAMES, Dialect, Names
from penult.util.text import quoted

MAX_DEPTH = 200
MAX_SIZE = 4096  # pixels
BASES: tuple[tuple[str, Dialect], ...] = (  # what stands before the tensors, most particular first
    ("visual.trunk.", "timm"),
    ("visual.", "open_clip"),
    ("vision_model.", "clip"),
    ("vit.", "vit"),
    ("deit.", "vit"),
    ("dinov2.", "dinov2"),
    ("dinov2_with_registers.", "dinov2"),
    ("", "dinov2"),
    ("", "vit"),
    ("", "dinov3"),
    ("", "torchvision"),
    ("", "timm"),
)
LIBRARIES: Mapping[Dialect, str] = {
    "timm": "timm",
    "timm_rotary": "timm",
    "facebook": "facebook",
    "facebook_rotary": "facebook",
    "torchvision": "torchvision",
    "open_clip": "open_clip",
}
SIZES = {(192, 12): "tiny", (384, 12): "small", (768, 12): "base", (1024, 24): "large"}
HEADS = {1152: 16, 1280: 16, 1408: 16, 1664: 16, 4096: 32}  # by width, where not 64 channels each
TANH = {(768, 32), (1152, 16), (1536, 16)}  # width and patch of SigLIP's, as timm has them
ACTIVATIONS: Mapping[str, Activation] = {
    "gelu": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "quick_gelu": "quick_gelu",
    "silu": "silu",
    "swish": "silu",
}


def read(shapes: Shapes, card: Card) -> VisionTransformer | None:
    """Read the network of a file; see `penult.nets.design`."""
    for base, dialect in BASES:
        names = NAMES[dialect]
        norm = f"{base}{names.block.name.format(0)}.{names.block.norm1}.weight"
        if norm in shapes and f"{base}{names.patches}.weight" in shapes:
            spelled = _timms(shapes, base) if dialect == "timm" else dialect
            reader = _Reader(shapes, card, base, spelled)
            design = reader.design()
            return design if design and _explains(design, shapes) else None
    return None


def _timms(shapes: Shapes, base: str) -> Dialect:
    """Tell timm's names from those of DINO's authors, which are nearly the same."""
    if f"{base}storage_tokens" in shapes:
        return "facebook_rotary"
    if f"{base}mask_token" in shapes and f"{base}blocks.0.ls1.gamma" in shapes:
        return "facebook"
    return "timm_rotary" if f"{base}blocks.0.gamma_1" in shapes else "timm"


class _Reader:
    """Reads one file, whose tensors are spelled in one dialect."""

    def __init__(self, shapes: Shapes, card: Card, base: str, dialect: Dialect) -> None:
        self.shapes, self.card = shapes, card
        self.base, self.dialect = base, dialect
        self.names: Names = NAMES[dialect]
        self.block = self.full(self.names.block.name.format(0))
        self.library = "open_clip" if base.startswith("visual.") else self._library()
        self.config = self._settings()

    def design(self) -> VisionTransformer | None:
        """Put everything together; None where a size is none that such a network can have."""
        kernel = self.shapes[f"{self.full(self.names.patches)}.weight"]
        if len(kernel) != 4 or kernel[2] != kernel[3] or not 0 < kernel[2] <= MAX_SIZE:
            return None
        width, patch = kernel[0], kernel[2]
        tokens, registers = self._class_tokens(), self._registers()
        placed, grid = self._positions(tokens, registers)
        heads = self._number("num_attention_heads", "num_heads") or self._usual_heads(width)
        size = self._size(grid * patch, patch)
        if not heads or width % heads or not self.depth or not 0 < size <= MAX_SIZE:
            return None
        if self.is_timm and self._is_another_of_timm(tokens, registers, placed):
            return None
        kind, hidden = self._mlp()
        return VisionTransformer(
            library=self.library,
            name=self._name(width, patch, size),
            dialect=self.dialect,
            base=self.base,
            width=width,
            depth=self.depth,
            heads=heads,
            hidden=hidden,
            mlp=kind,
            activation=self._activation(width, patch, grid * (not tokens)),
            epsilon=self._epsilon(),
            patch=patch,
            grid=grid or size // patch,
            class_tokens=tokens,
            registers=registers,
            placed=placed,
            resampling=self._resampling(registers),
            biases=self._biases(),
            has_patch_bias=f"{self.full(self.names.patches)}.bias" in self.shapes,
            has_norm_pre=f"{self.full(self.names.norm_pre or '?')}.weight" in self.shapes,
            has_layer_scale=any(
                f"{self.block}.{each}" in self.shapes for each in self.names.block.scales
            ),
            pool=self._pool(tokens),
            pooled=self.shapes.get(self.full("attn_pool.query"), (0, width))[-1],
            norm=self._norm(),
            has_pooler=self.has("pooler.dense.weight"),
            projection=self._projection(),
            classes=self._classes(),
            size=size,
        )

    @property
    def is_timm(self) -> bool:
        """Whether the names are timm's."""
        return LIBRARIES.get(self.dialect) == "timm"

    def full(self, name: str) -> str:
        """A tensor's name in the file."""
        return f"{self.base}{name}"

    def has(self, name: str) -> bool:
        """Whether the file has a tensor."""
        return self.full(name) in self.shapes

    def _library(self) -> str:
        return LIBRARIES.get(self.dialect, "transformers")

    def _settings(self) -> Mapping[str, Any]:
        """The library's settings of the image tower, its classes' defaults filled in."""
        config: Mapping[str, Any] = self.card.config
        if self.library == "transformers":
            kind = self.card.architecture or self._kind()
            tower = config.get("vision_config", config)
            given = tower if isinstance(tower, Mapping) else {}
            defaults = DEFAULTS.get(TOWERS.get(kind, kind), {})
            if not config:  # so the class's size says nothing of this file's
                defaults = {k: v for k, v in defaults.items() if k != "image_size"}
            return {**defaults, **given}
        tower = config.get("vision_cfg", config)
        return tower if isinstance(tower, Mapping) else {}

    def _kind(self) -> str:
        """The `model_type` that the tensors tell."""
        if self.dialect == "clip":
            return "siglip" if self.has("head.probe") else ""
        kinds = {"dinov3": "dinov3_vit", "vit": "vit_mae" if "mask_token" in self.shapes else "vit"}
        return kinds.get(self.dialect, "dinov2_with_registers" if self._registers() else "dinov2")

    def _is_another_of_timm(self, tokens: int, registers: int, placed: int) -> bool:
        """Whether it is one that computes something else with tensors of the same names."""
        turned = self.dialect == "timm_rotary" or placed < 0
        is_dinov3 = self.dialect == "timm_rotary" and placed < 0 and tokens and registers
        is_perception_encoder = self.has("attn_pool.latent") and tokens
        is_eva = f"{self.block}.attn.q_bias" in self.shapes and placed >= 0
        named = re.search(r"_rpn_|_rope_|_pe_", f"_{self.card.architecture}_")
        return bool((turned and not is_dinov3) or is_eva or is_perception_encoder or named)

    @property
    def depth(self) -> int:
        """How many blocks there are, numbered without a gap."""
        norm = f".{self.names.block.norm1}.weight"
        return next(
            (
                index
                for index in range(MAX_DEPTH + 1)
                if self.full(self.names.block.name.format(index)) + norm not in self.shapes
            ),
            0,
        )

    def _class_tokens(self) -> int:
        if not self.has(self.names.class_token):
            return 0
        return 2 if self.names.distilled and self.has(self.names.distilled) else 1

    def _registers(self) -> int:
        shape = self.shapes.get(self.full(self.names.registers), ()) if self.names.registers else ()
        return shape[-2] if len(shape) == 3 else 0

    def _positions(self, tokens: int, registers: int) -> tuple[int, int]:
        """Of the table: rows before the patches, and patches a side; (-1, 0) if there is none."""
        if not self.names.positions or not self.has(self.names.positions):
            return -1, 0
        rows = self.shapes[self.full(self.names.positions)][-2]
        for placed in (tokens + registers, tokens, 0):
            if rows > placed and isqrt(rows - placed) ** 2 == rows - placed:
                return placed, isqrt(rows - placed)
        raise NetworkError(f"a table of {rows} positions isn't that of a square image")

    def _number(self, *keys: str) -> int | None:
        value = next((self.config[key] for key in keys if self.config.get(key) is not None), None)
        if value is None:
            return None
        if type(value) is not int or not 0 < value <= 100_000:
            raise NetworkError(f"the settings beside the weights say {keys[0]} {quoted(value)}")
        return value

    def _usual_heads(self, width: int) -> int:
        per_head = self._number("head_width") or 64
        if per_head == 64 and width in HEADS and not (width == 1280 and self.dialect == "dinov3"):
            return HEADS[width] if self._positions_exist or width != 1280 else 20
        if width == 1536 and self.is_timm and not self._class_tokens():
            return 16  # SigLIP 2's giant
        return width // per_head

    @property
    def _positions_exist(self) -> bool:
        return bool(self.names.positions) and self.has(self.names.positions)

    def _mlp(self) -> tuple[Any, int]:
        """Which kind, and the channels inside."""
        names = self.names.block

        def rows(name: str) -> int:
            shape = self.shapes.get(f"{self.block}.{name}.weight", ()) if name else ()
            return shape[0] if len(shape) == 2 else 0

        if names.split and rows(names.split[0]):
            return "split", rows(names.split[0])
        if names.packed_fc2 and rows(names.packed):
            return "packed", rows(names.packed) // 2
        first, last = (
            self.shapes.get(f"{self.block}.{n}.weight", ()) for n in (names.fc1, names.fc2)
        )
        if names.packed and first and last and first[0] == 2 * last[-1]:
            return "packed", last[-1]
        return "plain", rows(names.fc1)

    def _activation(self, width: int, patch: int, grid: int) -> Activation:
        """Of the MLPs; the grid is that of networks without a class token."""
        if self._mlp()[0] != "plain":
            return "silu"
        if self.library == "torchvision":
            return "gelu"
        if self.library == "transformers" and "hidden_act" in self.config:
            name = self.config["hidden_act"]
            if isinstance(name, str) and name in ACTIVATIONS:
                return ACTIVATIONS[name]
            raise NetworkError(f"the activation {quoted(name)} isn't known")
        if self.dialect in {"clip", "open_clip"}:
            return clip_activation(self.shapes, self.card, self.library)
        if self.is_timm and self.has("norm_pre.weight") and not self.card.architecture:
            like = f"timm/vit_base_patch{patch}_clip"
            raise UsageError(
                "the tensors of a CLIP don't tell its activation: say whose they are, "
                f"-m {like}_quickgelu_224 (OpenAI's, DFN's, MetaCLIP's) or -m {like}_224 (LAION's)"
            )
        is_tanh = grid and ((width, patch) in TANH or (width, grid * patch) == (1024, 512))
        quick = "quickgelu" in self.card.architecture
        return "quick_gelu" if quick else "gelu_tanh" if is_tanh else "gelu"

    def _epsilon(self) -> float:
        if self.library == "transformers":
            value = self.config.get("layer_norm_eps", 1e-5 if self.dialect == "clip" else 1e-6)
            if type(value) not in {int, float} or not 0 < value < 1:
                raise NetworkError(f"the settings beside the weights say epsilon {quoted(value)}")
            return float(value)
        has_pre = self.has(f"{self.names.norm_pre or '?'}.weight")
        is_rotary = not self._positions_exist
        return 1e-5 if has_pre or is_rotary or self.dialect == "open_clip" else 1e-6

    def _resampling(self, registers: int) -> Resampling:
        if self.library == "torchvision":
            return "corners"
        if self.library == "facebook" and not registers:
            return "offset"
        if self.library != "transformers" or (self.dialect == "dinov2" and registers):
            return "antialias"
        return "bicubic"

    def _biases(self) -> Any:  # noqa: ANN401 -- one of three texts
        names = self.names.block.qkv
        if len(names) == 1:
            if f"{self.block}.attn.qkv.bias_mask" in self.shapes:  # of DINOv3, zero for keys
                return "qv"
            if f"{self.block}.{names[0].format('bias')}" in self.shapes:
                return "qkv"
            return "qv" if f"{self.block}.attn.q_bias" in self.shapes else ""
        found = (f"{self.block}.{name.format('bias')}" in self.shapes for name in names)
        return "".join(part for part, there in zip("qkv", found, strict=True) if there)

    def _pool(self, tokens: int) -> Any:  # noqa: ANN401 -- one of three texts
        if self.has("attn_pool.latent") or self.has("head.probe"):
            return "map"
        if self.has("attn_pool.query"):
            return "queries"
        named = self.config.get("global_pool", self.config.get("pool_type"))
        if named in ("token", "tok", "avg"):
            return "avg" if named == "avg" else "token"
        is_dinov3 = self.is_timm and not self._positions_exist
        is_average = is_dinov3 and "lingbot" not in self.card.architecture
        return "avg" if is_average or self.has("fc_norm.weight") or not tokens else "token"

    def _norm(self) -> Any:  # noqa: ANN401 -- one of two texts
        is_clip = self.dialect == "clip" and not self.has("head.probe")
        is_after = self.config.get("final_ln_after_pool") is True or self.has("attn_pool.query")
        return "vector" if is_clip or is_after or self.has("fc_norm.weight") else "tokens"

    def _projection(self) -> int:
        for name, axis in (
            (self.full("proj"), 1),
            ("visual_projection.weight", 0),
            ("visual.head.proj.weight", 0),
        ):
            shape = self.shapes.get(name, ())
            if len(shape) == 2 and (self.dialect in {"clip", "open_clip"} or self.base):
                return shape[axis]
        return 0

    def _classes(self) -> int:
        head = self.names.heads[0] if self._class_tokens() == 2 else self.names.head
        shape = self.shapes.get(f"{head}.weight", ())
        return shape[0] if len(shape) == 2 and not self.base.startswith("visual.") else 0

    def _size(self, native: int, patch: int) -> int:
        given = self._number("image_size") if self.library != "timm" else None
        given = given or self._number("img_size")
        if not given and self.library == "transformers" and (native, patch) == (378, 14):
            return 384  # SigLIP's, of which the patches leave 6 pixels out
        if given and native and given // patch * patch != native:
            raise NetworkError(f"the settings beside the weights say {given} pixels, not {native}")
        if self.library == "facebook":  # which evaluates at less than it trained
            return given or (224 if native else 256)
        return given or native or (256 if self.library == "timm" else 224)

    def _name(self, width: int, patch: int, size: int) -> str:
        if self.card.architecture and self.library != "transformers":
            return f"{self.library}/{self.card.architecture}"
        kind = self.card.architecture or self._kind() or self.dialect
        kind = kind if self.library == "transformers" else "vit"
        extent = SIZES.get((width, self.depth), f"{width}x{self.depth}")
        return f"{self.library}/{kind}_{extent}_patch{patch}_{size}"


def clip_activation(shapes: Shapes, card: Card, library: str) -> Activation:
    """Tell the activation of a CLIP, which both of its towers have.

    Raises:
        UsageError: Nothing tells; the message lists the choices.
    """
    if "input_resolution" in shapes:  # OpenAI's own files hold it
        return "quick_gelu"
    quick = card.config.get("quick_gelu")
    if quick is None and card.architecture:
        quick = "quickgelu" in card.architecture
    if quick is None:
        raise UsageError(
            "CLIP's tensors don't tell its activation: say whose they are, "
            f"-m {library}/clip-quickgelu (OpenAI's, DFN's, MetaCLIP's) or "
            f"-m {library}/clip-gelu (LAION's, DataComp's)"
        )
    return "quick_gelu" if quick else "gelu"


def _explains(design: VisionTransformer, shapes: Shapes) -> bool:
    """Whether tensors and network are of each other, so that it is no other kind of network.

    All that the features need is there, and all that patches and blocks have is needed.
    """
    layers = design.architecture().build(images(design.size), design.classes)
    needed = {variable.name: variable.shape for variable in variables(layers.values())}
    names = NAMES[design.dialect]
    inside = tuple(f"{design.base}{at}." for at in (names.block.name.format(0), "patch_embed"))
    masks = ".attn.qkv.bias_mask"
    left = [n for n in shapes if n.startswith(inside) and not n.endswith(masks) and n not in needed]
    return not left and all(shapes.get(name) == shape for name, shape in needed.items())
