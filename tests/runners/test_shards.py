"""Which images are computed together, while they are listed and after."""

import pytest

from penult.runners.shards import LEAST_ROWS, MOST_ROWS, Shards, shard_rows
from runners.listing import Listing


@pytest.mark.parametrize(
    ("images", "cores", "most", "rows"),
    [
        (1, 2, 9999, 32),
        (1000, 2, 9999, 62),
        (20_000, 1000, 9999, 32),
        (1_000_000, 8, 9999, 4000),
        (1_000_000, 1000, 9999, 1000),
        (10**9, 1000, 9999, 4000),
        (10**9, 1000, 268, 268),
        (10**9, 1000, 0, 1),
    ],
)
def test_shards_are_neither_many_nor_long(images, cores, most, rows):
    assert shard_rows(images, cores, most) == rows


def test_all_images_are_in_shards_once_and_in_order():
    shards, taken = Shards(Listing(range(1000)), cores=2, most=9999), []
    while not shards.is_over:
        taken.append(shards.take())
    assert [shard.number for shard in taken] == [*range(len(taken))]
    assert [len(shard.files) for shard in taken] == [62] * 16 + [8]
    assert [file for shard in taken for file in shard.files] == [*range(1000)]
    assert shards.take() is None


def test_shards_are_given_out_while_images_are_listed():
    listing = Listing(range(LEAST_ROWS - 1), goes_on=True)
    shards = Shards(listing, cores=2, most=9999)
    assert shards.take() is None
    assert not shards.is_over
    listing.files.append(LEAST_ROWS - 1)
    assert [*shards.take().files] == [*range(LEAST_ROWS)]
    assert shards.take() is None
    listing.files.extend(range(LEAST_ROWS, 70_000))
    assert len(shards.take().files) == MOST_ROWS
    listing.goes_on = False
    while not shards.is_over:
        last = shards.take()
    assert [*last.files] == [*range(69_000, 70_000)]


def test_no_more_is_waited_for_than_a_fragment_holds():
    shards = Shards(Listing(range(268), goes_on=True), cores=1000, most=268)
    assert len(shards.take().files) == 268
