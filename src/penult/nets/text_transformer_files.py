"""Read the text towers of CLIP, SigLIP and CoCa off the tensors of a file.

Tensors tell sizes and which projection there is. They don't tell the heads, the activation, whether
attention is causal, nor which token becomes the features; those come from the library's settings
beside the file, or follow from what it publishes under such names.
"""

from collections.abc import Mapping
from typing import Any

from penult.errors import NetworkError, UsageError
from penult.nets.design import Card, Shapes
from penult.nets.text_transformer import CLIP_END, LARGEST, TextTransformer
from penult.nets.text_transformer_names import NAMES, Dialect, Names
from penult.nets.transformer import Activation
from penult.nets.vision_transformer_files import ACTIVATIONS, MAX_DEPTH, clip_activation
from penult.util.text import quoted

BASES: tuple[tuple[str, Dialect], ...] = (
    ("text.", "open_clip"),
    ("", "open_clip"),
    ("text_model.", "clip"),
)
HEADS = {1152: 16}  # by width, where not 64 channels each
GEMMA = 256_000  # ids: SigLIP 2's, whose activation open_clip approximates
LEGACY_END = 2  # that transformers' older files name; it means the largest id
MOBILE = "visual.trunk.stages.0.blocks.0.token_mixer."  # of MobileCLIP-S's image towers, a FastViT
CLIPA = 32_000  # ids of a tower without a bias after it
DEFAULTS: Mapping[str, Mapping[str, Any]] = {  # of transformers' classes
    "clip": {"layer_norm_eps": 1e-5, "hidden_act": "quick_gelu", "eos_token_id": CLIP_END},
    "siglip": {"layer_norm_eps": 1e-6, "hidden_act": "gelu_pytorch_tanh"},
}


def read(shapes: Shapes, card: Card) -> TextTransformer | None:
    """Read the text tower of a file; see `penult.nets.text`."""
    for base, dialect in BASES:
        names = NAMES[dialect]
        norm = f"{base}{names.block.name.format(0)}.{names.block.norm1}.weight"
        if {norm, base + names.tokens, base + names.positions} <= shapes.keys():
            return _Reader(shapes, card, base, dialect).design()
    return None


class _Reader:
    """Reads one file, whose tensors are spelled in one dialect."""

    def __init__(self, shapes: Shapes, card: Card, base: str, dialect: Dialect) -> None:
        self.shapes, self.card = shapes, card
        self.base, self.dialect = base, dialect
        self.names: Names = NAMES[dialect]
        self.library = "open_clip" if dialect == "open_clip" else "transformers"
        self.is_siglip = f"{base}head.weight" in shapes
        self.config = self._settings()

    def design(self) -> TextTransformer | None:
        """Put everything together; None where a size is none that such a network can have."""
        vocabulary, width = self._sizes(self.names.tokens)
        places, _ = self._sizes(self.names.positions)
        hidden, _ = self._sizes(f"{self.names.block.name.format(0)}.{self.names.block.fc1}.weight")
        has_class = self._has("cls_emb")
        heads = self._number("heads", "num_attention_heads") or HEADS.get(width, width // 64)
        if not (vocabulary and places > has_class and hidden and heads) or width % heads:
            return None
        self._refuse_others()
        projection, features, has_bias = self._projection(width)
        return TextTransformer(
            library=self.library,
            name=f"{self.library}/{self.card.architecture or 'text'}",
            dialect=self.dialect,
            base=self.base,
            vocabulary=vocabulary,
            context=places - has_class,
            width=width,
            depth=self._depth(),
            heads=heads,
            hidden=hidden,
            activation=self._activation(vocabulary),
            epsilon=self._epsilon(),
            is_causal=self._is_causal(),
            pool="class" if has_class else self._pool(),
            end=self._end(),
            features=features,
            projection=projection,
            has_bias=has_bias,
        )

    def _has(self, name: str) -> bool:
        return f"{self.base}{name}" in self.shapes

    def _sizes(self, name: str) -> tuple[int, int]:
        shape = self.shapes.get(f"{self.base}{name}", ())
        return (shape[0], shape[1]) if len(shape) == 2 else (0, 0)

    def _depth(self) -> int:
        norm = f".{self.names.block.norm1}.weight"
        return next(
            index
            for index in range(MAX_DEPTH + 1)
            if not self._has(self.names.block.name.format(index) + norm) or index == MAX_DEPTH
        )

    def _settings(self) -> Mapping[str, Any]:
        """The library's settings of the text tower, its classes' defaults filled in."""
        config = self.card.config
        if self.dialect == "open_clip":
            return _object(config, "text_cfg")
        kind = "siglip" if self.is_siglip else "clip"
        if not config and kind == "clip":
            return {"layer_norm_eps": 1e-5}
        own = _object(config, "text_config") or (config if "vocab_size" in config else {})
        return {**DEFAULTS[kind], **own, **_object(config, "text_config_dict")}

    def _number(self, *keys: str) -> int | None:
        value = next((self.config[key] for key in keys if self.config.get(key) is not None), None)
        if value is None or (type(value) is int and 0 < value <= 100_000):
            return value
        raise NetworkError(f"the settings beside the weights say {keys[0]} {quoted(value)}")

    def _refuse_others(self) -> None:
        """Refuse settings that make another network of tensors with the same names."""
        for key in ("use_pad_mask", "correct_cls_mask"):
            if self.config.get(key):
                raise NetworkError(f"the text tower's setting {key} isn't known")

    def _projection(self, width: int) -> tuple[Any, int, bool]:
        """Which kind, the width of the features, and whether there is a bias."""
        names = self.names
        projection, head = (each.format(self.base) for each in (names.projection, names.head))
        for name, axis, kind in (
            (projection, 1, "matrix"),
            (f"{head}.weight", 0, "linear"),
            (f"{projection}.weight", 0, "linear"),
        ):
            shape = self.shapes.get(name, ())
            if len(shape) == 2:
                return kind, shape[axis], f"{name.removesuffix('weight')}bias" in self.shapes
        return "", width, False

    def _activation(self, vocabulary: int) -> Activation:
        if self.dialect == "clip" and "hidden_act" in self.config:
            name = self.config["hidden_act"]
            if isinstance(name, str) and name in ACTIVATIONS:
                return ACTIVATIONS[name]
            raise NetworkError(f"the activation {quoted(name)} isn't known")
        if self.dialect == "clip":
            return clip_activation(self.shapes, self.card, self.library)
        if self._has("text_projection.bias"):
            approximate = _object(self.config, "act_kwargs").get("approximate")
            is_tanh = approximate == "tanh" if self.config else vocabulary == GEMMA
            return "gelu_tanh" if is_tanh else "gelu"
        is_settled = self._has("cls_emb") or any(n.startswith("visual.trunk.") for n in self.shapes)
        if is_settled and not self.card.config.get("quick_gelu"):
            return "gelu"
        return clip_activation(self.shapes, self.card, self.library)

    def _epsilon(self) -> float:
        if self.dialect == "clip":
            value = self.config["layer_norm_eps"]
        else:
            usual = 1e-6 if self._has("text_projection.bias") else 1e-5
            value = _object(self.config, "norm_kwargs").get("eps", usual)
        if type(value) not in {int, float} or not 0 < value < 1:
            raise NetworkError(f"the settings beside the weights say epsilon {quoted(value)}")
        return float(value)

    def _is_causal(self) -> bool:
        if self.is_siglip or self.dialect == "clip":
            return not self.is_siglip
        if self.config:
            return self.config.get("no_causal_mask") is not True
        if self._sees_all:
            return False
        is_known = any(name.startswith("visual.trunk.") for name in self.shapes)
        if self.base and not is_known and not self._has("cls_emb"):
            raise UsageError(
                "these tensors don't tell whether a token of a text sees those after it: put the "
                "open_clip_config.json of their repository beside them"
            )
        return True

    @property
    def _sees_all(self) -> bool:
        """Whether all that have such tensors have no causal mask."""
        is_mobile = any(name.startswith(MOBILE) for name in self.shapes)
        return is_mobile or self._is_last

    @property
    def _is_last(self) -> bool:
        """Whether all that have such tensors take the last token: SigLIPs, CLIPA."""
        is_siglip = self.is_siglip or self._has("text_projection.bias")
        return is_siglip or self._sizes(self.names.tokens)[0] == CLIPA

    def _pool(self) -> Any:  # noqa: ANN401 -- one of two texts
        kind = self.config.get("pool_type")
        if kind not in (None, "argmax", "eos", "last"):
            raise NetworkError(f"the text tower's setting pool_type {quoted(kind)} isn't known")
        return "last" if kind == "last" or (kind is None and self._is_last) else "end"

    def _end(self) -> int:
        if self.config.get("pool_type") == "eos":
            return self._number("eos_id") or LEGACY_END
        end = self._number("eos_token_id") if self.dialect == "clip" else None
        return LARGEST if end in {None, LEGACY_END} or self.is_siglip else end or LARGEST


def _object(config: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = config.get(key)
    return value if isinstance(value, Mapping) else {}
