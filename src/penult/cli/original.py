"""The commands of the project that Penult grew out of, under their own options."""

import json
from itertools import islice
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import penult
from penult.cli import show
from penult.cli.commands import INTERRUPTED, SOME_FAILED, AsJson, app
from penult.cli.progress import Progress
from penult.util.text import printable

if TYPE_CHECKING:
    from numpy.typing import NDArray

ROWS_SHOWN = 5


@app.command()
def compute_features(
    data_dir: Annotated[
        str, typer.Option("--data_dir", help="Folder of images, searched recursively.")
    ],
    checkpoint_file: Annotated[Path, typer.Option("--checkpoint_file", help="Weights file.")],
    model: Annotated[str, typer.Option("--model", help="Network; see `penult models`.")],
    preprocess: Annotated[
        str | None, typer.Option(help="Not the network's own; raw repeats what the script did.")
    ] = None,
) -> None:
    """Do what compute_features.py of 2018 did: write features/MODEL_features.pkl.

    Example: penult compute-features --data_dir=imgs/ --checkpoint_file=vgg_16.ckpt --model=vgg_16
    """
    with Progress() as progress:
        try:
            computed = penult.legacy.compute_features(
                data_dir, checkpoint_file, model, preprocess, progress.show
            )
        except KeyboardInterrupt:
            progress.stop()
            show.say("stopped; nothing saved, `penult extract` saves as it goes")
            raise typer.Exit(INTERRUPTED) from None
    failures = computed.failures
    for path, reason in islice(failures.items(), show.FAILURES_SHOWN):
        show.say(f"{path}: {reason}")
    if len(failures) > show.FAILURES_SHOWN:
        show.say(f"… and {len(failures) - show.FAILURES_SHOWN} more")
    show.say(f"{computed.path}: {computed.count} images, {len(failures)} failed")
    if failures:
        raise typer.Exit(SOME_FAILED)


@app.command()
def load_features(
    path: Annotated[Path, typer.Argument(help="A .pkl of compute-features, old or new.")],
    as_json: AsJson = False,
) -> None:
    """Read a pickle of features, as data: nothing in it is executed.

    Example: penult load-features features/vgg_16_features.pkl
    """
    features = penult.legacy.load_features(path)
    widths = sorted({vector.size for vector in features.values()})
    first = dict(islice(features.items(), ROWS_SHOWN))
    if as_json:
        rows = {path: _finite(vector) for path, vector in first.items()}
        facts = {"file": str(path), "images": len(features), "widths": widths, "first": rows}
        print(json.dumps(facts, indent=2))
        return
    import numpy as np

    print(f"{len(features)} images, {' or '.join(map(str, widths)) or 'no'} features each")
    for key, vector in first.items():
        numbers = np.array2string(vector, 10_000, precision=6, threshold=6)
        print(f"{printable(key)}: {numbers}")
    if len(features) > len(first):
        print(f"… and {len(features) - len(first)} more")


def _finite(vector: "NDArray[Any]") -> list[float | None]:
    """A vector as JSON has it, which knows no NaN."""
    return [number if isfinite(number) else None for number in vector.ravel().tolist()]
