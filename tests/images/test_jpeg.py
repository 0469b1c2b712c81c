"""A JPEG's scans are counted before its pixels are decoded."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from penult.errors import ImageError
from penult.images import decode
from penult.images.jpeg import MAX_SCANS, require_few_scans

PIXELS = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)


def jpeg(**options):
    stream = BytesIO()
    Image.fromarray(PIXELS).save(stream, "JPEG", **options)
    return stream.getvalue()


def repeated(data, times):
    """The last scan of a JPEG several times."""
    start = data.rindex(b"\xff\xda")
    return data[:start] + data[start:-2] * times + data[-2:]


PROGRESSIVE = jpeg(progressive=True)
SCANS = PROGRESSIVE.count(b"\xff\xda")


def test_what_libraries_write_is_decoded():
    assert SCANS == 10
    assert decode(PROGRESSIVE).shape == decode(jpeg()).shape == (64, 64, 3)


def test_as_many_scans_as_are_allowed():
    assert decode(repeated(PROGRESSIVE, MAX_SCANS - SCANS + 1)).shape == (64, 64, 3)


def test_more_scans_are_refused_before_they_are_decoded():
    with pytest.raises(ImageError, match="too_large: more than 100 scans, the limit"):
        decode(repeated(PROGRESSIVE, MAX_SCANS - SCANS + 2))


def test_scans_of_single_components_count_too():
    data = jpeg()
    scan = data.rindex(b"\xff\xda")
    one = b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00" + bytes(16)
    with pytest.raises(ImageError, match="more than 100 scans"):
        require_few_scans(data[:scan] + one * (MAX_SCANS + 1) + data[-2:])


def test_scans_of_pictures_in_the_metadata_are_none():
    comment = b"\xff\xda" * 1000
    segment = b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment
    require_few_scans(PROGRESSIVE[:2] + segment + PROGRESSIVE[2:])


@pytest.mark.parametrize("length", range(2, 700, 7))
def test_a_cut_file_is_left_to_the_decoder(length):
    require_few_scans(PROGRESSIVE[:length])
