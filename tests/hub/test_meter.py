"""Bytes are counted whichever way huggingface_hub fetches them."""

from types import SimpleNamespace

import pytest
from huggingface_hub.utils._xet_progress_reporting import XetDownloadProgressReporter

from penult.errors import DownloadError
from penult.hub.meter import Meter
from penult.hub.names import RepositoryName

SIZES = {"a": 100, "b": 50}


@pytest.fixture
def told():
    return []


@pytest.fixture
def meter(told):
    return Meter(RepositoryName("x", "y"), SIZES, lambda *counts: told.append(counts))


def test_files_are_counted_together(meter, told):
    with meter.bar("a")(total=100, desc="a") as bar:
        bar.update(60)
        bar.update(-60)  # begun anew
        bar.update(100)
    meter.finish("a")
    meter.finish("b")  # was here
    assert [done for done, total in told] == [60, 0, 100, 100, 150]
    assert {total for done, total in told} == {150}


def test_a_file_does_not_grow(meter):
    with pytest.raises(DownloadError, match=r"^x/y: b has more than the 50 bytes named: try again"):
        meter.bar("b")().update(51)


def test_parts_of_xet_are_counted_once(meter, told):
    with XetDownloadProgressReporter(
        reconstruction_desc="a", total=100, log_level=30, tqdm_class=meter.bar("a")
    ) as reporter:
        for there, received in ((40, 30), (100, 60)):
            reporter.update_progress(
                SimpleNamespace(
                    total_bytes=100,
                    total_bytes_completed=there,
                    total_transfer_bytes_completed=received,
                    total_bytes_completion_rate=1.0,
                    total_transfer_bytes_completion_rate=1.0,
                )
            )
    assert told == [(40, 150), (100, 150)]
