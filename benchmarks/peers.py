"""Penult and what one would write or install instead: same photos, same network and weights.

    python benchmarks/peers.py CACHE [--rounds N] [--share X] [--network PATTERN] [--write]

Each peer has a virtual environment of its own under CACHE, made at the first call with the
versions pinned below, and a script in benchmarks/peers that does what the peer's own README or
tutorial says. A peer that can't be installed, or that fails, is left out, and a line says why.

All of a network's peers run in turn, round after round, as whole processes from start to end, on
one photo and on all of them; medians are printed. `steady` is the rate of the photos after the
first: start-up is not in it. Memory is the largest sum of a process and its children, shared pages
counted once (PSS), sampled all the while.
`difference` is the relative L2 norm to Penult's features of the same photos. Penult preprocesses as
the network's authors did, and so does TensorFlow; peers that preprocess as torchvision does are
compared with Penult under `--preprocess torchvision`.

--share takes a part of the photos, for a try; --write puts the tables into
docs/benchmarks/peers.md.
"""

import argparse
import os
import platform
import sys
import tempfile
from fnmatch import fnmatch
from pathlib import Path
from runpy import run_path
from statistics import median
from typing import NamedTuple

import numpy as np
from peer_cases import (
    CASES,
    CORES,
    ENVIRONMENTS,
    FASTEMBED,
    OTHER,
    PENULT,
    Case,
    Peer,
    environment,
    sizes,
)
from processes import FailedError, Run, checked, measure

import penult

ROOT = Path(__file__).parents[1]
SCRIPTS = ROOT / "benchmarks/peers"
PAGE = ROOT / "docs/benchmarks/peers.md"
BEGIN, END = "<!-- peers: benchmarks/peers.py -->\n", "<!-- end peers -->"
PHOTOS = run_path(str(SCRIPTS / "inputs.py"))["PHOTOS"]  # kind: (size, how many)


def prepare(cache: Path) -> dict[str, str]:
    """Make environments, photos and weights; tell what failed, by environment."""
    failed = {}
    for name in ENVIRONMENTS:
        try:
            environment(cache, name)
        except FailedError as error:
            failed[name] = f"can't be installed: {error}"
    checked([sys.executable, SCRIPTS / "inputs.py", cache])
    if "pytorch" not in failed:
        checked([cache / "environments/pytorch/bin/python", SCRIPTS / "torch_weights.py", cache])
    if "timm" not in failed:
        checked([cache / "environments/timm/bin/python", SCRIPTS / "library_weights.py", cache])
    return failed


def command(case: Case, peer: Peer, cache: Path, photos: Path, out: Path) -> list[str | Path]:
    """Write the command that computes the features of a folder's photos."""
    programs, weights = cache / "environments" / peer.environment / "bin", cache / "weights"
    if peer.environment == "penult":
        chosen = ["-w", weights / case.network / case.ours] if case.ours else []
        preprocess = ["--preprocess", peer.preprocess] if peer.preprocess else []
        return [programs / "penult", "extract", photos, "-o", f"{out}.lance", *chosen, *preprocess]
    script, *arguments = peer.command
    file = weights / case.network / case.theirs.get(peer.environment, "")
    return [
        programs / "python",
        SCRIPTS / script,
        *arguments,
        case.network,
        file,
        photos,
        f"{out}.npz",
    ]


def run(arguments: list[str | Path], cache: Path) -> Run:
    """Run a peer to its end."""
    hub = str(cache / "weights/resnet50")  # where torchvision finds its weights
    return measure(arguments, {"TORCH_HOME": hub, "TF_CPP_MIN_LOG_LEVEL": "2"})


def first(photos: Path, count: int, folder: Path) -> Path:
    """Put links to the first photos into a folder of their own."""
    part = folder / str(count)
    part.mkdir()
    for photo in sorted(photos.glob("*.jpg"))[:count]:
        os.link(photo, part / photo.name)
    return part


class Row(NamedTuple):
    """A line of the table: medians, but for memory, the largest."""

    case: Case
    photos: str
    peer: Peer
    rate: float  # images/s of the longest run, start-up included
    steady: float  # images/s
    first: float  # seconds until one photo is done
    peak: float  # bytes
    difference: float | None  # None where there is nothing to compare with


def compare(
    case: Case, kind: str, rounds: int, share: float, peers: list[Peer], cache: Path
) -> list[Row]:
    """Run all peers of a network in turn on photos of one kind."""
    count = max(8, round(PHOTOS[kind][1] * case.share * share))
    runs: dict[Peer, list[tuple[Run, ...]]] = {peer: [] for peer in peers}
    with tempfile.TemporaryDirectory(dir=cache) as name:
        folder = Path(name)
        parts = [first(cache / "photos" / kind, n, folder) for n in (1, count)]
        for turn in range(rounds):
            for peer in list(runs):
                outs = [folder / f"{peer.name} {part.name} {turn}" for part in parts]
                try:
                    commands = [
                        command(case, peer, cache, *p) for p in zip(parts, outs, strict=True)
                    ]
                    runs[peer].append(tuple(run(c, cache) for c in commands))
                except FailedError as error:
                    print(f"{case.title}, {peer.name}: left out: {error}", file=sys.stderr)
                    del runs[peer]
        differences = {p: difference(case, p, cache, parts[1], folder) for p in runs}
    return [row(case, kind, p, count, r, differences[p]) for p, r in runs.items()]


def row(
    case: Case, kind: str, peer: Peer, count: int, runs: list[tuple[Run, ...]], off: float | None
) -> Row:
    """Condense the runs of a peer."""
    one, whole = (median(r.seconds for r in column) for column in zip(*runs, strict=True))
    return Row(
        case,
        kind,
        peer,
        rate=count / whole,
        steady=(count - 1) / (whole - one),
        first=one,
        peak=max(r.peak for turn in runs for r in turn),
        difference=off,
    )


def difference(case: Case, peer: Peer, cache: Path, photos: Path, folder: Path) -> float | None:
    """Hold a peer's features against Penult's of the same preprocessing."""
    if peer.environment == "penult" or peer.preprocess == OTHER:
        return None
    reference = folder / f"reference {peer.preprocess}"
    ours = PENULT._replace(preprocess=peer.preprocess)
    run(command(case, ours, cache, photos, reference), cache)  # done already: at once
    table = penult.open(f"{reference}.lance")
    with np.load(folder / f"{peer.name} {photos.name} 0.npz") as found:
        rows = [table.keys.index(name) for name in found["names"]]
        features, expected = found["features"].reshape(len(rows), -1), table.numpy()[rows]
    if peer is FASTEMBED:  # which scales vectors to length 1
        expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    return float(np.linalg.norm(features - expected) / np.linalg.norm(expected))


def cells(row: Row, ours: Row) -> str:
    """Write a row; `ours` is Penult's of the same network and photos."""
    off = "–" if row.difference is None else f"{row.difference:.0e}"
    ratio = f"{ours.steady / row.steady:.2g}" if row is not ours else ""
    return (
        f"| {row.case.title} | {row.photos} | {row.peer.name} | {row.rate:.3g} | {row.steady:.3g} "
        f"| {ratio} | {row.first:.2g} s | {row.peak / 1e6:.0f} MB | {off} |"
    )


COLUMNS = "network|photos|with|images/s|steady|Penult is faster by|first result|memory|difference"
HEAD = f"| {COLUMNS.replace('|', ' | ')} |\n{'| --- ' * (1 + COLUMNS.count('|'))}|"


def machine(rounds: int) -> str:
    """Say where and how it was measured."""
    networks = run_path(str(ROOT / "benchmarks/networks.py"))
    return (
        f"{networks['processor']()}, {CORES} cores, Python {platform.python_version()};"
        f" whole processes, interleaved, medians of {rounds}."
    )


def table(rows: list[Row]) -> list[str]:
    """Print the rows of one network and one kind of photos, and return them."""
    ours = next((row for row in rows if row.peer.environment == "penult"), rows[0])
    lines = [cells(row, ours) for row in rows]
    print("\n".join(lines), flush=True)
    return lines


def arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "cache", type=lambda text: Path(text).absolute(), help="environments, inputs"
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--share", type=float, default=1, help="of the photos")
    parser.add_argument("--network", default="*", help="pattern, such as 'resnet*'")
    parser.add_argument("--write", action="store_true", help="put the tables into the page")
    return parser.parse_args()


def main() -> None:
    """Measure, print, and write if asked to."""
    chosen = arguments()
    if chosen.write:
        replaced("")  # refuse now rather than at the end
    failed = prepare(chosen.cache)
    for name, why in failed.items():
        print(f"{name}: left out: {why}", file=sys.stderr)
    print(HEAD)
    rows: list[str] = []
    for case in (case for case in CASES if fnmatch(case.network, chosen.network)):
        peers = [peer for peer in case.peers if peer.environment not in failed]
        for kind in PHOTOS:
            rows += table(compare(case, kind, chosen.rounds, chosen.share, peers, chosen.cache))
    tail = f"{sizes(chosen.cache, failed)}\n\n{machine(chosen.rounds)}"
    print(f"\n{tail}")
    if chosen.write:
        text = "\n".join([HEAD, *rows, "", tail])
        PAGE.write_text(replaced(text), encoding="utf-8")


def replaced(tables: str) -> str:
    """Put the tables between the two comments that mark their place in the page."""
    before, begin, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        sys.exit(f"{PAGE} has no place for the tables: {BEGIN.strip()} and then {END}")
    return f"{before}{begin}\n{tables}\n\n{end}{after}"


if __name__ == "__main__":
    main()
