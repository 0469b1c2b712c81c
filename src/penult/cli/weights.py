"""The commands around weights files: look into them, fetch them, write them as ONNX."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import penult
from penult.cli import show_networks
from penult.cli.commands import AsJson, ModelName, app, fetched
from penult.cli.options import takes_options
from penult.cli.progress import DownloadProgress
from penult.errors import UsageError
from penult.util.text import quoted

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
    files: Annotated[
        list[Path],
        typer.Argument(
            help="Weights file, as its authors published it, unless -m names published weights; "
            "then the ONNX file to write.",
            metavar="[WEIGHTS] OUT.onnx",
        ),
    ],
    model: ModelName = None,
    *,
    options: "ModelOptions",
) -> None:
    """Write a network up to some layers as a standard ONNX file, weights included.

    Weights of more than 2 GB go into OUT.onnx.data beside it.

    Example: penult convert -m inception_v3 inception_v3.onnx -l AvgPool_1a -l Logits
    """
    *weights, out = files
    if len(weights) > 1:
        raise UsageError(f"{len(files)} files: name the weights and the ONNX file to write")
    if not weights and not model:
        raise UsageError(
            f"only {quoted(out)} is named: say whose weights to write there, by a file before it "
            "or by a network's name (-m)"
        )
    options["weights"] = weights[0] if weights else None
    fetched(model, options["weights"])
    network = penult.load_model(model, **options)
    network.write_onnx(out)
    show_networks.converted(network, out)
