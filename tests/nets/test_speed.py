from penult.nets import ours
from penult.nets.speed import TABLE, images_per_second


def test_measured_networks_are_registered_in_this_order_and_took_some_time():
    rates = images_per_second()
    assert list(rates) == [spec.name for spec in ours() if spec.name in rates]
    assert all(0 < rate < float("inf") for rate in rates.values())


def test_the_default_network_was_measured():
    assert "efficientnet_lite0" in images_per_second()


def test_the_file_says_how_it_was_made():
    first, second, *_ = TABLE.read_text(encoding="utf-8").splitlines()
    assert first.startswith("# images/s")
    assert first.endswith("python benchmarks/networks.py --write")
    assert not second.startswith("#")
