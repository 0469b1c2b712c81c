"""How fast each network was where `benchmarks/networks.py` measured it."""

from functools import cache
from pathlib import Path

TABLE = Path(__file__).with_name("speed.tsv")  # its first line says where, how and with what


@cache
def images_per_second() -> dict[str, float]:
    """Return the images/s of each network that was measured, in the registry's order.

    They are of the network alone; reading and preparing images comes on top.
    """
    _, *lines = TABLE.read_text(encoding="utf-8").splitlines()
    return {name: float(rate) for name, rate in (line.split("\t") for line in lines)}
