"""Tables of a few vectors, without images behind them."""

import numpy as np
import pytest

import penult
from penult.store import Row, TableWriter


@pytest.fixture
def make_table(tmp_path):
    """Store vectors by key; `facts` are further columns of all rows, or of one by its key.

    `more` are layers with the same vectors.
    """

    def make(vectors, name="t.lance", facts=None, layer="pool", more=(), **columns):
        vectors = {key: np.array(vector, np.float32) for key, vector in vectors.items()}
        width = len(next(iter(vectors.values())))
        known = {"bytes": 1, "mtime_ns": 1, "width": 10, "height": 10} | columns
        rows = [
            Row(
                **({"key": key} | known | (facts or {}).get(key, {})),
                vectors=dict.fromkeys((layer, *more), vector),
            )
            for key, vector in vectors.items()
        ]
        rows.append(Row("zz_failed.jpg", 1, 1, error="empty: zero bytes"))
        with TableWriter.open_or_create(
            tmp_path / name, dict.fromkeys((layer, *more), (width,)), {"network": "tiny"}
        ) as table:
            table.append(rows)
        return penult.open(tmp_path / name)

    return make
