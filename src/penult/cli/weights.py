"""The commands around weights files: look into them, fetch them, write them as ONNX."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import penult
from penult.cli import show, show_networks
from penult.cli.commands import AsJson, ModelName, app
from penult.cli.options import takes_options
from penult.cli.progress import DownloadProgress

if TYPE_CHECKING:
    from penult.model.recipe import ModelOptions

WeightsFile = Annotated[
    Path, typer.Argument(help="Weights file, as its authors published it.", metavar="WEIGHTS")
]


@app.command()
def inspect(
    weights: WeightsFile,
    statistics: Annotated[
        bool, typer.Option("--statistics", help="Tell what the tensors' values are like.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Tell what a weights file holds: its variables, and the network that they make.

    Example: penult inspect inception_v3.ckpt
    """
    show_networks.inspection(penult.inspect(weights, statistics=statistics), as_json=as_json)


@app.command()
def download(
    names: Annotated[list[str], typer.Argument(help="Networks; see `penult models`.")],
) -> None:
    """Fetch published weights into the cache, unless they are there.

    PENULT_CACHE names the cache's folder, PENULT_MIRROR an address to use for the published host.

    Example: penult download inception_v3 vgg_16
    """
    for name in names:
        with DownloadProgress(name) as progress:
            download = penult.download(name, progress.show)
        show_networks.downloaded(name, download)


@app.command()
@takes_options("layer", "pool", "size", "preprocess", "ema", "prefix")
def convert(
    weights: WeightsFile,
    out: Annotated[Path, typer.Argument(help="ONNX file to write.", metavar="OUT.onnx")],
    model: ModelName = None,
    *,
    options: "ModelOptions",
) -> None:
    """Write a network up to some layers as a standard ONNX file, weights included.

    Weights of more than 2 GB go into OUT.onnx.data beside it.

    Example: penult convert inception_v3.ckpt inception_v3.onnx -l AvgPool_1a -l Logits
    """
    options["weights"] = weights
    network = penult.load_model(model, **options)
    network.write_onnx(out)
    show.say(f"{out}: {network}")
