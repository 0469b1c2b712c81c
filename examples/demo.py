"""Show what `penult extract` found: each photo's likeliest classes and its nearest neighbour.

Run it as `python examples/demo.py TABLE FOLDER`, or let `make demo` do so.
"""

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

import penult

table, folder = sys.argv[1:]
command = f"{Path(sys.executable).parent.parent.name}/bin/penult"
features = penult.open(table)
classes = {c.key: c.classes for c in penult.classify(folder, k=3)}

vectors = features.numpy()
vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
similarity: NDArray[np.float32] = vectors @ vectors.T
np.fill_diagonal(similarity, -1)
nearest = similarity.argmax(axis=1)

rows = Table("photo", "looks like", "nearest photo", "cosine", box=SIMPLE_HEAD, pad_edge=False)
for i, key in enumerate(features.keys):
    (first, probability), *others = classes[key]
    looks = f"[bold]{first}[/] {probability:.0%}, {', '.join(name for name, _ in others)}"
    rows.add_row(key, looks, features.keys[int(nearest[i])], f"{similarity[i, nearest[i]]:.2f}")
console = Console()
console.print(rows)
console.print(
    f"The features, {len(features)} × {vectors.shape[1]} float32, lie in {table}. "
    "Load them with\n\n"
    f'    features = penult.open("{table}")\n'
    "    features.keys, features.numpy()\n\n"
    f"write them for other tools:     {command} export {table} features.npz\n"
    f"look at them in the browser:     {command} view {table}",
    highlight=False,
    soft_wrap=True,  # commands stay whole
)
