"""ConvNeXts read off the tensors of a file; see `penult.nets.convnext`."""

from collections.abc import Mapping
from typing import Any, Literal

from penult.errors import NetworkError
from penult.graph import images, variables
from penult.nets.convnext import ConvNeXt
from penult.nets.convnext_names import NAMES, Dialect, Names
from penult.nets.convnext_published import SIZES, TESTS, TIMM
from penult.nets.design import Card, Shapes
from penult.nets.transformer import Activation
from penult.util.text import quoted

MOST_STAGES = 8
MOST_BLOCKS = 200  # of a stage; published ones have up to 30
BASES: tuple[tuple[Literal["", "visual.trunk."], Dialect], ...] = (
    ("visual.trunk.", "timm"),
    ("", "timm"),
    ("", "torchvision"),
    ("", "convnext"),
    ("", "convnextv2"),
    ("", "convnext_model"),
    ("", "dinov3"),
    ("", "facebook"),
)
LIBRARIES: Mapping[Dialect, Literal["torchvision", "timm", "transformers"]] = {
    "timm": "timm",
    "torchvision": "torchvision",
    "facebook": "timm",
}
ACTIVATIONS: Mapping[str, Activation] = {
    "gelu": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "gelu_tanh": "gelu_tanh",
    "quick_gelu": "quick_gelu",
    "silu": "silu",
    "swish": "silu",
}
CLIP_SIZES = {512: 224, 640: 256, 768: 256, 1024: 256}  # of open_clip's, by channels


def read(shapes: Shapes, card: Card) -> ConvNeXt | None:
    """Read the network of a file; see `penult.nets.design`.

    Raises:
        NetworkError: The card says another network than the tensors.
    """
    for base, dialect in BASES:
        names = NAMES[dialect]
        block = base + names.block.format(i=0, j=0, odd=1)
        if f"{block}.{names.depthwise}.weight" in shapes:
            try:
                design = _Reader(shapes, card, base, dialect).design()
            except (ValueError, IndexError):  # shapes that no ConvNeXt has
                return None
            return design if _explains(design, shapes) else None
    return None


def _explains(design: ConvNeXt, shapes: Shapes) -> bool:
    """Whether every tensor of the stages has its place, so that it is no other network."""
    try:
        layers = design.architecture().build(images(design.size), design.classes)
    except NetworkError:  # so many stages that nothing is left of the map
        return False
    needed = {variable.name: variable.shape for variable in variables(layers.values())}
    stages = design.base + NAMES[design.dialect].block.partition("{")[0]
    return all(needed.get(n) == shape for n, shape in shapes.items() if n.startswith(stages))


class _Reader:
    """Reads one file, whose tensors are named in one dialect."""

    def __init__(
        self, shapes: Shapes, card: Card, base: Literal["", "visual.trunk."], dialect: Dialect
    ) -> None:
        self.shapes, self.card = shapes, card
        self.base, self.dialect = base, dialect
        self.names: Names = NAMES[dialect]
        self.library: Literal["torchvision", "timm", "transformers", "open_clip"] = (
            "open_clip" if base else LIBRARIES.get(dialect, "transformers")
        )
        tower = card.config.get("vision_cfg", card.config)
        self.config: Mapping[str, Any] = tower if isinstance(tower, Mapping) else {}

    def design(self) -> ConvNeXt:
        """Put everything together; ValueError or IndexError where shapes don't."""
        self.depths = self._depths()
        stages = range(len(self.depths))
        depthwise = [self._shape(self._in_block(i, self.names.depthwise), 4) for i in stages]
        fc1 = [self.shapes[f"{self._in_block(i, self.names.fc1)}.weight"] for i in stages]
        self.widths = tuple(shape[0] for shape in depthwise)
        self.kernels = tuple(shape[-1] for shape in depthwise)
        patch, stem, has_activation = self._stem()
        projection, projected, has_bias = self._projection()
        epsilon, last_epsilon = self._epsilons()
        title = self._title(len(stem) == 2)
        self._compare(title)
        classifier = self.shapes.get(f"{self.names.classifier}.weight", (0,))
        return ConvNeXt(
            library=self.library,
            name=f"{self.library}/{self._named(title)}",
            dialect=self.dialect,
            base=self.base,
            size=self._size(title, projected),
            classes=0 if self.base else classifier[0],
            patch=patch,
            stem=stem,
            has_stem_activation=has_activation,
            depths=self.depths,
            widths=self.widths,
            hidden=tuple(shape[0] for shape in fc1),
            kernels=self.kernels,
            norm=self._norm(title),
            activation=self._activation(title),
            epsilon=epsilon,
            last_epsilon=last_epsilon,
            has_scale=self._in_block(0, self.names.scale) in self.shapes,
            has_response_norm=self.has_response_norm,
            is_convolutional=len(fc1[0]) == 4,
            last_norm=self._last_norm(classifier[0]),
            head=self.shapes.get("head.pre_logits.fc.weight", (0,))[0] if not self.base else 0,
            projection=projection,
            projected=projected,
            has_projection_bias=has_bias,
        )

    @property
    def has_response_norm(self) -> bool:
        """Whether it is a ConvNeXt V2."""
        name = self.names.response[0]
        return bool(name) and self._in_block(0, name) in self.shapes

    def _depths(self) -> tuple[int, ...]:
        depths = []
        for stage in range(MOST_STAGES + 1):
            depth = next(
                block
                for block in range(MOST_BLOCKS + 1)
                if f"{self._in_block(stage, self.names.depthwise, block)}.weight" not in self.shapes
                or block == MOST_BLOCKS
            )
            if not depth:
                break
            depths.append(depth)
        return tuple(depths)

    def _stem(self) -> tuple[int, tuple[int, ...], bool]:
        """The patches' side, channels of the convolutions, whether something is between two."""
        kernel = self._shape(self.base + self.names.stem[0], 4)
        if self.dialect == "timm" and kernel[-1] == 3 and kernel[0] != self.widths[0]:
            return 0, (kernel[0], self.widths[0]), False
        for second in (1, 2) if self.dialect == "timm" else ():
            shape = self.shapes.get(f"{self.base}stem.{second}.weight", ())
            if len(shape) == 4:
                return 0, (kernel[0], shape[0]), second == 2
        return kernel[-1], (kernel[0],), False

    def _epsilons(self) -> tuple[float, float]:
        """Of all norms, and of the last."""
        if self.library == "transformers":
            value = self._number("layer_norm_eps", 1e-6 if self.dialect == "dinov3" else 1e-12)
            return value if self.dialect == "dinov3" else 1e-6, value
        is_large = self.depths[1:3] == (4, 30) or self._test()
        value = self._number("norm_eps", 1e-5 if is_large else 1e-6)
        return value, value

    def _number(self, key: str, default: float) -> float:
        value = self.config.get(key)
        if value is None:
            return default
        if type(value) not in {int, float} or not 0 < value < 1:
            raise NetworkError(f"the settings beside the weights say {key} {quoted(value)}")
        return float(value)

    def _activation(self, title: str) -> Activation:
        usual = {"test_convnext": "gelu_tanh", "test_convnext2": "gelu_tanh"}
        key = "hidden_act" if self.library == "transformers" else "act_layer"
        name = self.config.get(key, usual.get(title, "silu" if self._test() else "gelu"))
        if isinstance(name, str) and name in ACTIVATIONS:
            return ACTIVATIONS[name]
        raise NetworkError(f"the activation {quoted(name)} isn't known")

    def _norm(self, title: str) -> Literal["layer", "deviation"]:
        if self._has_norm_bias:
            return "layer"
        if title.startswith("convnext_zepto"):
            return "deviation"
        raise ValueError("of other norms without a bias none is published")

    @property
    def _has_norm_bias(self) -> bool:
        return f"{self._in_block(0, self.names.norm)}.bias" in self.shapes

    def _last_norm(self, classes: int) -> Literal["map", "vector", "plain"]:
        if f"{self.base}norm_pre.weight" in self.shapes:
            return "map"
        is_there = f"{self.base}{self.names.last_norm}.weight" in self.shapes
        return "vector" if is_there or classes or self.library != "timm" else "plain"

    def _projection(self) -> tuple[Literal["", "linear", "mlp"], int, bool]:
        """CLIP's: its kind, channels, and whether the last layer has a bias."""
        kinds: tuple[tuple[Literal["linear", "mlp"], str], ...] = (
            ("linear", "visual.head.proj"),
            ("mlp", "visual.head.mlp.fc2"),
        )
        for kind, name in kinds if self.base else ():
            if f"{name}.weight" in self.shapes:
                return kind, self._shape(name, 2)[0], f"{name}.bias" in self.shapes
        if self.base:
            raise ValueError("CLIP without a projection")
        return "", 0, False

    def _test(self) -> str:
        return TESTS.get((self.depths, self.widths, self.kernels[-1]), "")

    def _title(self, has_overlap: bool) -> str:
        """What timm calls such a network."""
        first, version = self.widths[0], "v2" if self.has_response_norm else ""
        if self._test():
            return self._test()
        size = SIZES.get((self.depths, first), f"{sum(self.depths)}x{first}")
        parts = {
            "rms": not self._has_norm_bias,
            "ols": has_overlap,
            "hnf": f"{self.base}norm_pre.weight" in self.shapes,
            "mlp": "head.pre_logits.fc.weight" in self.shapes,
        }
        endings = "".join(f"_{part}" for part, is_there in parts.items() if is_there)
        return f"convnext{version}_{size}{endings}"

    def _named(self, title: str) -> str:
        named = self.card.architecture
        if self.library == "transformers" or not named.startswith(("convnext", "test_convnext")):
            return f"dinov3_{title}" if self.dialect == "dinov3" else title
        return named

    def _compare(self, title: str) -> None:
        """Hold the tensors against what is said beside them."""
        named: object = self.card.architecture
        if self.library == "open_clip":
            named = self.config.get("timm_model_name")
        elif self.library == "timm" and self.config:
            named = None  # its arguments may make anything of it
        known = isinstance(named, str) and named in TIMM
        if known and named != title:
            raise NetworkError(f"the tensors are of {title}, not of {named} as is said beside them")
        if (pool := self.config.get("global_pool", "avg")) != "avg":
            raise NetworkError(f"the settings beside the weights say global_pool {quoted(pool)}")
        if self.library != "transformers":
            return
        for key, found in (("depths", self.depths), ("hidden_sizes", self.widths)):
            if (said := self.config.get(key, [*found])) != [*found]:
                raise NetworkError(f"config.json says {key} {quoted(said)}, the tensors {[*found]}")

    def _size(self, title: str, projected: int) -> int:
        if self.library == "timm":
            return TIMM[title].size if title in TIMM else 224
        usual = CLIP_SIZES.get(projected, 256) if self.base else 224
        if self.card.architecture.endswith("_320"):
            usual = 320
        size = self.config.get("image_size", usual)
        if type(size) is not int or not 0 < size <= 4096:
            raise NetworkError(f"the settings beside the weights say image_size {quoted(size)}")
        return size

    def _in_block(self, stage: int, name: str, block: int = 0) -> str:
        at = self.names.block.format(i=stage, j=block, odd=2 * stage + 1)
        return f"{self.base}{at}.{name}"

    def _shape(self, name: str, axes: int) -> tuple[int, ...]:
        shape = self.shapes.get(f"{name}.weight", ())
        if len(shape) != axes:
            raise ValueError(name)
        return shape
