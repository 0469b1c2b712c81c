"""The blocks of transformers: attention, then a dense layer on each token.

Vaswani et al. 2017, arXiv:1706.03762; normalised before each branch, as in arXiv:2010.11929,
section 3.1. Images and texts go through the same ones, under the names of any library.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from penult.graph import (
    Constant,
    Value,
    Variable,
    add,
    attention,
    dense,
    gelu,
    gelu_tanh,
    multiply,
    plain,
    quick_gelu,
    rotate,
    silu,
    slice_channels,
)
from penult.nets import pytorch
from penult.nets.spec import Layers

Activation = Literal["gelu", "gelu_tanh", "quick_gelu", "silu"]
ACTIVATIONS: Mapping[str, Callable[[Value], Value]] = {
    "gelu": gelu,
    "gelu_tanh": gelu_tanh,
    "quick_gelu": quick_gelu,
    "silu": silu,
}
Rotation: TypeAlias = tuple[Constant, Constant]  # cosines and sines, (tokens, half a head)


@dataclass(frozen=True, slots=True)
class BlockNames:
    """What a library calls the tensors of a block.

    In `name`, `{}` stands for the block's number, in `qkv` for `weight` or `bias`, in `bias` for
    q, k or v.
    """

    name: str
    norm1: str
    attention: str  # the module around queries, keys and values
    qkv: tuple[str, ...]  # packed into one, or one each
    out: str
    norm2: str
    fc1: str
    fc2: str
    bias: str = ""  # of queries, keys and values by themselves, where only some have one
    mlp: str = ""  # the module around the dense layers, where there is one
    scales: tuple[str, ...] = ()
    packed: str = ""  # instead of `fc1`, gate and values in one
    packed_fc2: str = ""  # and `fc2` then, where it is called otherwise
    split: tuple[str, ...] = ()  # instead of `fc1`, gate and values
    split_fc2: str = ""  # and `fc2` then


@dataclass(frozen=True, slots=True)
class Encoder:
    """A stack of blocks.

    Attributes:
        names: What its tensors are called.
        base: What stands before their names.
        width: Channels of a token.
        heads: Of each attention.
        hidden: Channels inside the MLPs.
        mlp: `plain`; with a gate, `packed` before the values in one layer or `split` from them.
        activation: Of the MLPs, or of their gates.
        epsilon: Of the layer norms.
        biases: Which of q, k and v have one.
        has_layer_scale: Whether branches are scaled a channel (arXiv:2103.17239).
        is_causal: Whether a token sees itself and those before it only.
    """

    names: BlockNames
    base: str
    width: int
    heads: int
    hidden: int
    mlp: Literal["plain", "packed", "split"]
    activation: Callable[[Value], Value]
    epsilon: float
    biases: str
    has_layer_scale: bool
    is_causal: bool = False

    def block(
        self,
        x: Value,
        index: int,
        layers: Layers,
        rotation: Rotation | None = None,
        keys: Value | None = None,
    ) -> Value:
        """Attend, then transform each token: each branch is added to what came in.

        The block and its branches are added to `layers`. `keys` says which tokens are seen, as in
        `graph.attention`; by default all are.
        """
        names, name = self.names, f"{self.base}{self.names.name.format(index)}"
        y = self._attend(self._norm(x, f"{name}.{names.norm1}"), name, rotation, keys)
        layers[f"{name}.{names.attention}"] = y
        x = add(x, self._scale(y, name, 0))
        y = self._mlp(self._norm(x, f"{name}.{names.norm2}"), name)
        if names.mlp:
            layers[f"{name}.{names.mlp}"] = y
        x = layers[name] = add(x, self._scale(y, name, 1))
        return x

    def _attend(self, x: Value, block: str, rotation: Rotation | None, keys: Value | None) -> Value:
        q, k, v = (self._part(x, block, index) for index in range(3))
        if rotation:
            q, k = (rotate(each, *rotation, heads=self.heads) for each in (q, k))
        y = attention(q, k, v, heads=self.heads, causal=self.is_causal, keys=keys)
        return pytorch.linear(y, f"{block}.{self.names.out}", self.width)

    def _part(self, x: Value, block: str, index: int) -> Value:
        """Make queries, keys or values of tokens."""
        width, packed = self.width, len(self.names.qkv) == 1
        name = f"{block}.{self.names.qkv[0 if packed else index]}"
        has_bias = "qkv"[index] in self.biases
        if not packed:
            return pytorch.linear(x, name.removesuffix(".{}"), width, bias=has_bias)
        start, stop = index * width, (index + 1) * width
        kernel = pytorch.rows(Variable(name.format("weight"), (3 * width, width)), start, stop)
        if not has_bias:
            return dense(x, kernel)
        if self.biases == "qkv" or not self.names.bias:
            bias = pytorch.rows(Variable(name.format("bias"), (3 * width,)), start, stop)
        else:
            own = self.names.bias.format("qkv"[index])
            bias = plain(Variable(f"{block}.{own}", (width,)))
        return dense(x, kernel, bias)

    def _mlp(self, x: Value, block: str) -> Value:
        names, act, hidden = self.names, self.activation, self.hidden
        match self.mlp:
            case "plain":
                y = act(pytorch.linear(x, f"{block}.{names.fc1}", hidden))
            case "packed":
                both = pytorch.linear(x, f"{block}.{names.packed}", 2 * hidden)
                gate, values = (slice_channels(both, at, at + hidden) for at in (0, hidden))
                y = multiply(act(gate), values)
            case "split":
                gate, values = (
                    pytorch.linear(x, f"{block}.{each}", hidden) for each in names.split
                )
                y = multiply(act(gate), values)
        others = {"packed": names.packed_fc2, "split": names.split_fc2}
        last = others.get(self.mlp) or names.fc2
        return pytorch.linear(y, f"{block}.{last}", self.width)

    def _scale(self, y: Value, block: str, branch: int) -> Value:
        if not self.has_layer_scale:
            return y
        return multiply(y, plain(Variable(f"{block}.{self.names.scales[branch]}", (self.width,))))

    def _norm(self, x: Value, name: str) -> Value:
        return pytorch.layer_norm(x, name, epsilon=self.epsilon)
