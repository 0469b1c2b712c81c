"""What words mean to a table: vectors of texts that lie among those of its images.

They come from the text tower that was trained beside the image tower which made the table, and only
its layer of projected images has them for neighbours.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias
from weakref import WeakKeyDictionary

from penult.analysis.vectors import Floats
from penult.errors import NetworkError, UsageError
from penult.extraction.wordlists import Templates, read_templates, several_texts
from penult.extraction.zero_shot import SHARED, SUCH_AS
from penult.store import TableReader
from penult.util.text import quoted

if TYPE_CHECKING:
    from penult.model.text import TextModel

Texts: TypeAlias = str | Sequence[str]

_MINUS = re.compile(r"(?:^|(?<=\s))[-\u2212](?=\S)")

_towers: "WeakKeyDictionary[TableReader, tuple[object, TextModel]]" = WeakKeyDictionary()


def text_model(features: TableReader, layer: str, weights: str | Path | None = None) -> "TextModel":
    """Load the text tower of a table's network; it stays loaded as long as the table is open.

    Args:
        features: The table.
        layer: The layer that is compared with words.
        weights: Where the network's weights are, if not where they were.

    Raises:
        NetworkError: The network has no text tower.
        UsageError: The layer isn't the one that words are compared with.
        CheckpointError: The weights aren't there or can't be read.
    """
    require_words(features, layer)
    known, tower = _towers.get(features, (None, None))
    if tower is None or known != weights:
        tower = read_tower(features, weights)
        _towers[features] = weights, tower
    return tower


def require_words(features: TableReader, layer: str) -> None:
    """Refuse a layer whose neighbours aren't words; errors as of `text_model`."""
    if SHARED not in features.layers:
        network = features.provenance.get("network", "a network")
        raise NetworkError(
            f"{quoted(features.path)} has no layer {SHARED} that words are compared with: "
            f"{quoted(network)} made it; extract with one of images and words, such as {SUCH_AS}"
        )
    if layer != SHARED:
        raise UsageError(
            f"words are compared with layer {SHARED}, not {quoted(layer)}: name it (-l)"
        )


def read_tower(features: TableReader, weights: str | Path | None) -> "TextModel":
    """Read the text tower from the weights file that made a table; errors as of `text_model`."""
    from penult.model.model import require_recorded  # which few searches need
    from penult.model.recipe import Recipe
    from penult.model.text import load_text

    recipe = Recipe.read(features.layers, features.provenance, features.path)
    if weights is None:
        require_recorded(recipe, features.path)
        return load_text(recipe)
    tower = load_text(replace(recipe, weights=Path(weights), revision=""))
    if tower.digest() != recipe.weights_sha256:
        raise UsageError(
            f"{quoted(tower.path)} didn't make {quoted(features.path)}: "
            "name the weights that did (-w)"
        )
    return tower


def text_vectors(
    features: TableReader,
    layer: str,
    texts: Sequence[str],
    templates: Templates | None = None,
    weights: str | Path | None = None,
) -> Floats:
    """Make vectors of texts: (texts, values), float32.

    Args:
        features: The table.
        layer: The layer that they are compared with.
        texts: Texts, at least one.
        templates: What stands around each, with `{}` for it; vectors of several are averaged.
        weights: Where the network's weights are, if not where they were.

    Raises:
        NetworkError, UsageError, CheckpointError: As of `text_model`; or a text can't be used.
    """
    filled = None if templates is None else read_templates(templates)
    vectors = text_model(features, layer, weights).embed_text(texts, templates=filled)
    width = features.layers[layer][-1]
    if vectors.shape[1] != width:
        raise UsageError(
            f"vectors of words have {vectors.shape[1]} values, those of {quoted(layer)} {width}: "
            "name the weights that made the table (-w)"
        )
    return vectors


def inherit_tower(features: TableReader, older: TableReader) -> None:
    """Let a newer version of a table have the text tower that is loaded for an older one."""
    if older in _towers:
        _towers[features] = _towers[older]


def phrases(query: str) -> tuple[list[str], list[str]]:
    r"""Take one line of words apart: what is wanted, and what isn't, each behind a minus.

    >>> phrases("a beach at sunset -people -dogs on a lead")
    (['a beach at sunset'], ['people', 'dogs on a lead'])
    >>> phrases("a close-up \u2212insects")  # the sign that some keyboards write
    (['a close-up'], ['insects'])
    """
    wanted, *unwanted = [each.strip() for each in _MINUS.split(query)]
    return [wanted] if wanted else [], [each for each in unwanted if each]


def as_texts(name: str, texts: Texts) -> list[str]:
    """Texts that an option was given, also a single one; errors as of `several_texts`."""
    return [texts] if isinstance(texts, str) else several_texts(name, texts)
