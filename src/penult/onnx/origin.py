"""What an ONNX file written by Penult says of itself."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields

_PREFIX = "penult_"  # of the keys, beside which other programs put theirs


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a file's features come from, and what it takes to compute them again.

    >>> origin = Origin("lenet", ("fc3",), "avg", "lenet", "grey, …", 28, "e3b0…", "0.1.0")
    >>> origin.metadata()["penult_layers"]
    '["fc3"]'
    >>> Origin.of(origin.metadata()) == origin
    True
    """

    network: str
    layers: tuple[str, ...]  # the model's outputs
    pool: str
    preprocessing: str  # its name
    preprocessing_text: str  # the same for people, one line
    size: int  # pixels, of the square input
    weights_sha256: str
    version: str  # of Penult

    def metadata(self) -> dict[str, str]:
        """The model's `metadata_props`: texts as they are, other values as JSON."""
        values = asdict(self).items()
        return {_PREFIX + k: v if isinstance(v, str) else json.dumps(v) for k, v in values}

    @classmethod
    def of(cls, metadata: Mapping[str, str]) -> "Origin | None":
        """Read it back; None if Penult didn't write it so."""
        try:
            texts = {each.name: metadata[_PREFIX + each.name] for each in fields(cls)}
            layers = json.loads(texts.pop("layers"))
            size = int(texts.pop("size"))
        except (KeyError, ValueError, RecursionError):
            return None
        if not isinstance(layers, list) or not all(isinstance(each, str) for each in layers):
            return None
        return cls(**texts, layers=tuple(layers), size=size)
