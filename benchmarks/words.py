"""What a query by words costs: the whole command, and the text towers alone.

    python benchmarks/words.py [ROWS]

Makes CLIP ViT-B/32 and SigLIP's text tower with random weights, and a table of ROWS × 512 (100,000)
that the former made, in a temporary folder here. Prints seconds of the processor: of `penult search
-t` as a process of its own, beside the bare imports that it can't do without; of the same when the
weights' digest isn't known yet; and of a text with the network loaded, 7 tokens for CLIP and
SigLIP's 64. Medians of seven, the least in brackets, which a busy machine moves less.
"""

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np

import penult
from penult.model.text import load_text
from penult.store import Row, TableWriter

sys.path.insert(0, str(Path(__file__).parents[1] / "tests/nets"))
from modern import write_safetensors
from tiny import CLIP, SIGLIP, folder, tensors, text_tensors

RUNS, BATCH = 7, 20_000
IMAGES = {"width": 768, "depth": 12, "heads": 12, "hidden": 3072, "patch": 32, "grid": 7}
TEXTS = {"width": 512, "depth": 12, "heads": 8, "hidden": 2048, "features": 512}
SIGLIPS = {"width": 768, "depth": 12, "heads": 12, "hidden": 3072, "vocabulary": 32_000}
SETTINGS = {"model_cfg": {"vision_cfg": {"image_size": 224}, "text_cfg": {"heads": 8}}}
BARE = [sys.executable, "-c", "import lance, numpy, onnxruntime, typer"]
SEARCH = [sys.executable, "-m", "penult", "search", "t.lance", "-t", "a red bicycle"]


def clip(place: Path) -> Path:
    """A CLIP ViT-B/32 as open_clip publishes it."""
    images = tensors(**CLIP | IMAGES | {"size": 224, "pooled": 768, "projection": 512})
    return folder(place / "clip", images | text_tensors(**TEXTS), open_clip_config=SETTINGS)


def table(place: Path, weights: Path, rows: int) -> None:
    """A table of random vectors, as if those weights had made it."""
    random = np.random.default_rng(0)
    with penult.load_model(str(weights)) as model:
        recipe, layers = model.recipe, model.outputs
    (layer,) = layers
    path = place / "t.lance"
    with TableWriter.open_or_create(path, layers, recipe.provenance, recipe.notes) as made:
        for start in range(0, rows, BATCH):
            vectors = random.standard_normal((min(BATCH, rows - start), 512), np.float32)
            made.append(
                Row(f"{start + i:08}.jpg", 1, 1, width=1, height=1, vectors={layer: vector})
                for i, vector in enumerate(vectors)
            )


def process(command: list[str], place: Path) -> float:
    """Run a command; return the processor's seconds."""
    environment = os.environ | {
        "PYTHONPYCACHEPREFIX": str(place / "compiled"),
        "PYTHONDONTWRITEBYTECODE": "",  # as installed
    }
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, cwd=place, env=environment, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def anew(place: Path) -> float:
    """Search as for the first time."""
    (place / "cache/digests.txt").unlink(missing_ok=True)
    return process(SEARCH, place)


def embedding(weights: Path, ids: list[int]) -> float:
    """Make the features of a text with the network loaded; return the processor's seconds."""
    tower = load_text(weights)
    tower.embed_ids([ids])
    taken = []
    for _ in range(3):
        start = time.process_time()
        tower.embed_ids([ids])
        taken.append(time.process_time() - start)
    return min(taken)


def say(what: str, cost: Callable[[], float]) -> None:
    """Print the median and the least of some runs."""
    costs = [cost() for _ in range(RUNS)]
    print(f"{what:40} {median(costs):.3f} ({min(costs):.3f}) s", flush=True)


def main(rows: int = 100_000) -> None:
    """Make the weights and the table, and measure."""
    with tempfile.TemporaryDirectory(dir=".") as name:
        place = Path(name).resolve()
        os.environ["PENULT_CACHE"] = str(place / "cache")
        weights = clip(place)
        table(place, weights, rows)
        siglip = write_safetensors(
            place / "siglip.safetensors", text_tensors(bias=-10, **SIGLIP | SIGLIPS)
        )
        time.sleep(2.5)  # a digest is noted of what hasn't changed just before
        process(SEARCH, place)
        say("bare imports", lambda: process(BARE, place))
        say("a search, digest unknown", lambda: anew(place))
        say("a search", lambda: process(SEARCH, place))
        say(
            "a text, CLIP ViT-B/32, 7 tokens", lambda: embedding(weights, [49406, *range(5), 49407])
        )
        say("a text, SigLIP, 64 tokens", lambda: embedding(siglip, [*range(2, 65), 1]))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
