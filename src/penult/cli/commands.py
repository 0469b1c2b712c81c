"""The commands: each parses its arguments, makes one call of the Python API and prints."""

from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

import penult
from penult.cli import show, show_networks
from penult.cli.options import DECLARED, takes_options
from penult.cli.progress import DownloadProgress, Progress
from penult.errors import UsageError
from penult.util.signals import raise_on_sigterm, was_terminated
from penult.util.text import plural

if TYPE_CHECKING:
    from penult.model.recipe import ModelOptions
    from penult.table.features import Features

SOME_FAILED, REFUSED, INTERRUPTED, TERMINATED = 1, 2, 130, 143  # exit codes

OF_NETWORKS = ("size", "preprocess", "decode", "ema", "prefix", "exact")  # options of `classify`
OF_RUNS = ("weights", "device", "max_pixels", "max_bytes", "max_seconds")  # those with a probe too

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Sources = Annotated[
    list[str] | None,
    typer.Argument(
        help="Image files, folders (searched recursively), globs; archives (tar, zip), numbered "
        "ones (shards-{0000..0127}.tar), tables (Parquet, Arrow, Lance); addresses of these "
        "(s3://bucket/photos).",
        metavar="SOURCE…",
    ),
]
FromFile = Annotated[
    str | None,
    typer.Option(
        help="List of paths and addresses, one a line or, as by find -print0, NUL-separated; "
        "- is stdin."
    ),
]
Column = Annotated[
    str | None,
    typer.Option(help="Column of tables that holds the images; needed if several might."),
]
Key = Annotated[
    str | None,
    typer.Option(help="Column of tables that names the images; by default their rows do."),
]
Keep = Annotated[
    str | None, typer.Option(metavar="NAME,…", help="Columns of tables that come along: labels.")
]
Keys = Annotated[
    str | None,
    typer.Option(
        metavar="FILE", help="Only images whose keys are in a list, one a line; - is stdin."
    ),
]
Where = Annotated[
    str | None, typer.Option(help="Condition in SQL that they meet, such as 'width > 1000'.")
]
Shard = Annotated[
    str | None,
    typer.Option(metavar="I/N", help="Part I of N of the images; `merge` joins their tables."),
]
Ray = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="Compute on a Ray cluster: its head (HOST:PORT), or auto on one of its machines.",
    ),
]
ModelName = Annotated[
    str | None, typer.Option("--model", "-m", help="Network; see `penult models`.")
]
Size = Annotated[
    int | None,
    typer.Option(help="Pixels of the network's square input; by default those of its training."),
]
Weights = Annotated[
    Path | None,
    typer.Option("--weights", "-w", help="Weights file, if it isn't where it was."),
]
Template = Annotated[
    list[str] | None,
    typer.Option(
        help="What stands around words, with {} for them, as 'a photo of {}'; several are "
        "averaged; imagenet is OpenAI's 80, simple 7 of them, photo 'a photo of a {}.'."
    ),
]
TablePath = Annotated[Path, typer.Argument(help="Table that `penult extract` made.")]
AllowFailures = Annotated[
    bool, typer.Option("--allow-failures", help="Exit with 0 although some images failed.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.callback(invoke_without_command=True)
def penult_command(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show where an error comes from.")] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", help="Print results and errors only: no notes, no bars.")
    ] = False,
    threads: Annotated[
        int | None, typer.Option(help="Cores to take; by default all that there are.")
    ] = None,
    remote: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ADDRESS",
            help="Bucket or host (s3://photos) that may be asked for the images of a table's rows; "
            "repeatable.",
        ),
    ] = None,
) -> None:
    """Turn images into features with pretrained networks.

    Start with: penult extract photos/

    --debug, --quiet, --threads and --remote may stand anywhere on a line.
    """
    if version:
        typer.echo(penult.__version__)
        raise typer.Exit


@app.command()
@takes_options()
def extract(
    sources: Sources = None,
    model: ModelName = None,
    *,
    options: "ModelOptions",
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Table; by default SOURCE.lance, here.")
    ] = None,
    from_file: FromFile = None,
    column: Column = None,
    key: Key = None,
    keep: Keep = None,
    keys: Keys = None,
    shard: Shard = None,
    retry_failed: Annotated[
        bool,
        typer.Option(
            "--retry-failed",
            help="Try all images again that failed, not only those that couldn't be read or took "
            "too long.",
        ),
    ] = False,
    allow_failures: AllowFailures = False,
    checksum: Annotated[
        bool, typer.Option("--checksum", help="Tell changed and moved images by their content.")
    ] = False,
    prune: Annotated[
        bool, typer.Option("--prune", help="Remove rows of images that have gone from SOURCE.")
    ] = False,
    ray: Ray = None,
    profile: Annotated[bool, typer.Option("--profile", help="Say where the time went.")] = False,
    as_json: AsJson = False,
) -> None:
    """Compute features and store them in a table; run it again to continue or to update.

    Example: penult extract photos/ -o photos.lance
    """
    if ray is not None and profile:
        raise UsageError("--profile is about this machine's cores: leave out it or --ray")
    fetched(model, options["weights"])
    raise_on_sigterm()
    with Progress() as progress:
        try:
            features = penult.extract(
                sources or (),
                model,
                out=out,
                from_file=from_file,
                column=column,
                key=key,
                keep=keep.split(",") if keep else (),
                keys=keys,
                shard=shard,
                retry_failed=retry_failed,
                checksum=checksum,
                prune=prune,
                ray=ray,
                progress=progress.show,
                **options,
            )
        except KeyboardInterrupt:
            progress.stop()
            code = TERMINATED if was_terminated() else INTERRUPTED
            show.interrupted(progress.counts, code)
            raise typer.Exit(code) from None
    show.recovered(features)
    show.extracted(features, progress.counts, as_json=as_json)
    if profile:
        show.profile(progress.counts)
    if progress.counts.failures and not allow_failures:
        raise typer.Exit(SOME_FAILED)


@app.command()
@takes_options(*OF_NETWORKS, *OF_RUNS)
def classify(
    sources: Sources = None,
    model: ModelName = None,
    *,
    options: "ModelOptions",
    k: Annotated[int, typer.Option("-k", min=1, help="Classes to name.")] = 5,
    from_file: FromFile = None,
    labels: Annotated[
        str | None,
        typer.Option(
            help="Classes in words, for networks of images and words: 'cat,dog,something else', a "
            "file with one a line, imagenet, or nouns."
        ),
    ] = None,
    template: Template = None,
    probe: Annotated[
        Path | None, typer.Option(help="Probe that `penult probe` saved: its classes, its model.")
    ] = None,
    allow_failures: AllowFailures = False,
    as_json: AsJson = False,
) -> None:
    """Name the likeliest classes of images.

    Example: penult classify photos/ -k 3
    """
    if template and not labels:
        raise UsageError("--template stands around labels: give them too (--labels)")
    if probe and labels:
        raise UsageError("a probe has its own classes: leave out --labels or --probe")
    if probe:
        if model or any(options[name] != DECLARED[name].default for name in OF_NETWORKS):  # type: ignore[literal-required]
            raise UsageError("a probe names its model: leave the model's options out, but -w")
        saved = penult.open_probe(probe)
        taken = {name: options[name] for name in OF_RUNS}  # type: ignore[literal-required]
        results = saved.classify(sources or (), k=k, from_file=from_file, **taken)
    else:
        fetched(model, options["weights"])
        results = penult.classify(
            sources or (),
            model,
            k=k,
            from_file=from_file,
            labels=labels,
            template=template or "simple",
            **options,
        )
    failed = False
    for result in results:
        show.classified(result, as_json=as_json)
        failed = failed or result.error is not None
    if failed and not allow_failures:
        raise typer.Exit(SOME_FAILED)


@app.command()
def models(
    pattern: Annotated[str, typer.Argument(help="Shell-style pattern, such as '*lite*'.")] = "*",
    as_json: AsJson = False,
) -> None:
    """List the networks; weights are installed, or come from where the list says.

    Then torchvision's weights, and short names for repositories of the Hugging Face hub; any other
    repository goes by its own name, such as timm/resnet50.a1_in1k.

    Example: penult models '*lite*'
    """
    from penult.nets import describe as describe_network  # which needn't know files, so no engine

    described = [describe_network(spec.name) for spec in penult.models(pattern)]
    others = list(_of_libraries(pattern))
    show_networks.models(described, others, as_json=as_json)


@app.command()
def describe(
    name: Annotated[str | None, typer.Argument(help="Network; see `penult models`.")] = None,
    weights: Annotated[
        Path | None, typer.Option("--weights", "-w", help="Weights file, of ONNX too.")
    ] = None,
    size: Size = None,
    as_json: AsJson = False,
) -> None:
    """Describe a network: its layers with shapes and costs, preprocessing, source and licence.

    Example: penult describe efficientnet_lite0
    """
    found = penult.describe(name, weights=weights, size=size)
    show_networks.description(found, as_json=as_json)


@app.command()
def info(
    table: TablePath,
    as_json: AsJson = False,
) -> None:
    """Tell what a table holds, what made it, and which images failed.

    Example: penult info photos.lance
    """
    show.info(opened(table), as_json=as_json)


@app.command()
def export(
    table: TablePath,
    out: Annotated[
        Path,
        typer.Argument(
            help="File to write: .npz .npy .parquet .csv .pkl .h5 .faiss .usearch; or a folder."
        ),
    ],
    layer: Annotated[
        str | None, typer.Option("--layer", "-l", help="Layer, for formats that hold only one.")
    ] = None,
    program: Annotated[
        Literal["atlas", "spotlight", "fiftyone", "tensorboard", "faiss", "usearch"] | None,
        typer.Option(help="Program that is to open it."),
    ] = None,
    where: Where = None,
    keys: Keys = None,
) -> None:
    """Write a table's features for other tools; failed images are left out.

    Example: penult export photos.lance map.parquet --program atlas
    """
    from penult.exports.export import chosen, opening

    pictures = program in {"atlas", "tensorboard"}
    features = chosen(opened(table, pictures=pictures), where, keys)
    features.export(out, layer=layer, program=program)
    words = opening(features, out, layer, program)
    images = plural(len(features), "image")
    show.say(f"{out}: {images}" + (f"; open it by: {words}" if words else ""))


def _of_libraries(pattern: str) -> Iterator[dict[str, Any]]:
    from penult.hub import SHORT
    from penult.model.installed import is_installed
    from penult.nets import torchvision

    for each in torchvision.published():
        if not fnmatchcase(each.name, pattern):
            continue
        yield {
            "network": each.name,
            "size": each.size,
            "top1": each.top1,
            "top5": each.top5,
            "megabytes": each.megabytes,
            "licence": each.licence,
            "weights": each.weights.url,
            "installed": is_installed(each.name, each.weights),
        }
    for short, name in SHORT.items():
        if fnmatchcase(short, pattern):
            yield {"network": short, "weights": name, "installed": is_installed(short, name)}


def fetched(model: str | None, weights: "str | Path | None") -> None:
    """Fetch published weights before they are needed, with a bar, and say how they were checked."""
    from penult.hub import resolve
    from penult.model.repositories import is_known, is_repository
    from penult.nets import PublishedWeights, lookup, torchvision

    if not model or weights:
        return
    spec = torchvision.find(model) or lookup(model)
    if spec and isinstance(spec.weights, PublishedWeights):
        with DownloadProgress(model) as progress:
            download = penult.download(model, progress.show)
        if download.first_use:
            show_networks.downloaded(model, download)
    elif not spec and is_known(model) and not is_repository(Path(model)):
        with DownloadProgress(model) as progress:
            resolve(model, keep=True, progress=progress.show, tell=show.say)


def opened(table: Path, *, pictures: bool = False) -> "Features":
    """Open a table; say if its newest version was unreadable, or pictures are out of reach."""
    features = penult.open(table)
    show.recovered(features)
    if pictures:
        show.out_of_reach(features)
    return features
