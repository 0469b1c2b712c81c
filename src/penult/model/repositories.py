"""Networks that come as a repository: weights, and what their library says beside them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from penult.errors import UsageError
from penult.hub import SHORT, Repository, open_folder, parse, resolve
from penult.hub.choice import SETTINGS, WEIGHTS
from penult.images.preprocess import Transform
from penult.images.preprocess_files import from_open_clip, from_timm, from_transformers
from penult.model.published import download
from penult.nets import Card, card_named, torchvision
from penult.util.text import quoted


@dataclass(frozen=True, slots=True)
class Brought:
    """Weights, and what is said of them.

    Attributes:
        weights: The file, folder or index to open.
        name: The network's name, if one was said.
        card: What is said of the network, if anything is.
        preprocess: Makes the preprocessing that is said, for a size or the size that is said; None
            if none is.
        revision: The commit that the weights are of, on the hub.
    """

    weights: Path
    name: str | None = None
    card: Card | None = None
    preprocess: Callable[[int | None], Transform] | None = None
    revision: str = ""


def bring(model: str | None, weights: str | Path | None, *, text: bool = False) -> Brought:
    """Find weights and what is said of them.

    Args:
        model: A name of the hub or a short one, a folder, or a library and an architecture, such as
            `timm/vit_small_patch16_224`, that weights are of.
        weights: A file or folder; None to take those of `model`.
        text: Whether its text tower and tokenizer are wanted.

    Raises:
        UsageError: There are no weights of that name.
        DownloadError: They can't be had.
        CheckpointError: The folder holds none, or what is beside them is damaged.
    """
    row = torchvision.find(model) if model else None
    row = row or (torchvision.find_file(Path(weights).name) if weights and not model else None)
    if row:
        path = Path(weights) if weights else download(row.name).path
        return Brought(path, model or row.name, Card("torchvision", row.network), row.preprocess)
    if weights is None:
        if model and is_repository(Path(model)):
            return _of_repository(open_folder(Path(model), text=text), None)
        return _of_repository(resolve(model or "", text=text), None)
    path = Path(weights)
    card = card_named(model) if model else None
    if is_repository(path):
        return _of_repository(open_folder(path, text=text), card, name=model)
    if path.name in WEIGHTS and any((path.parent / each).exists() for each in SETTINGS):
        return _of_repository(open_folder(path.parent), card, name=model, file=path)
    return Brought(path, model, card)


def is_known(model: str) -> bool:
    """Whether a name may be that of a repository: on the hub, a short one, or a folder."""
    found = torchvision.find(model) or model in SHORT or is_repository(Path(model))
    return bool(found or parse(model))


def is_repository(path: Path) -> bool:
    """Whether a path is a folder as the hub keeps it."""
    try:
        return path.is_dir() and any((path / name).is_file() for name in (*SETTINGS, *WEIGHTS))
    except OSError:  # its name is too long
        return False


def _of_repository(
    repository: Repository, card: Card | None, *, name: str | None = None, file: Path | None = None
) -> Brought:
    library: str | None = repository.library
    if file and file.name.startswith("open_clip") and repository.open_clip is not None:
        library = "open_clip"
    return Brought(
        weights=file or repository.weights,
        name=name or repository.name or None,
        card=card or _card(repository, library),
        preprocess=_preprocess(repository, library),
        revision=repository.commit,
    )


def _card(repository: Repository, library: str | None) -> Card | None:
    config = repository.config
    match library:
        case "transformers":
            return Card("transformers", str(config.get("model_type", "")), config)
        case "timm":
            said = _part(config, "model_args") | {
                key: config[key] for key in ("global_pool",) if config.get(key)
            }
            return Card("timm", str(config.get("architecture", "")).partition(".")[0], said)
        case "open_clip":
            model = _part(repository.open_clip or {}, "model_cfg")
            quick = "quickgelu" in repository.name.lower()
            return Card("open_clip", "", {"quick_gelu": quick, **model})
    return None


def _preprocess(
    repository: Repository, library: str | None
) -> Callable[[int | None], Transform] | None:
    config, preprocessor = repository.config, repository.preprocessor
    match library:
        case "transformers" if preprocessor is not None:
            return lambda size: from_transformers(preprocessor, size)
        case "timm":
            return lambda size: from_timm(_part(config, "pretrained_cfg") or config, size)
        case "open_clip" if repository.open_clip is not None:
            said = repository.open_clip
            own, model = _part(said, "preprocess_cfg"), _part(said, "model_cfg")
            return lambda size: from_open_clip(own, model, size)
    return None


def _part(config: Mapping[str, Any], key: str) -> dict[str, Any]:
    value = config.get(key) or {}
    if not isinstance(value, Mapping):
        raise UsageError(f"{key} of the settings beside the weights is {quoted(value)}, no object")
    return dict(value)
