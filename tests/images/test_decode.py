import base64
import io
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from penult.errors import ImageError, UsageError
from penult.images import decode, load

ORIENTATION = 274

# 48 × 32 pixels in six blocks of 16, which JPEG and AVIF keep apart
BLOCKS = [
    [(200, 30, 30), (30, 200, 30), (30, 30, 200)],
    [(200, 200, 30), (30, 200, 200), (120, 120, 120)],
]
PICTURE = np.repeat(np.repeat(np.array(BLOCKS, np.uint8), 16, axis=0), 16, axis=1)

STORED = {  # how a camera held that way writes the picture: where row 0 and column 0 are, EXIF 2.3
    1: PICTURE,  # top, left
    2: PICTURE[:, ::-1],  # top, right
    3: PICTURE[::-1, ::-1],  # bottom, right
    4: PICTURE[::-1],  # bottom, left
    5: PICTURE.transpose(1, 0, 2),  # left, top
    6: PICTURE[:, ::-1].transpose(1, 0, 2),  # right, top
    7: PICTURE[::-1, ::-1].transpose(1, 0, 2),  # right, bottom
    8: PICTURE[::-1].transpose(1, 0, 2),  # left, bottom
}

# 32 × 16 pixels, red beside blue, written by libheif and x265; TURNED has the HEIF property
# `irot`, and EXIF orientation 6 saying the same: 16 × 32 upright, red above blue
HEIC = base64.b85decode(
    "0000SW^{RQXk}?*00000ZE0pPXk}?*ZE0a<0004eZDn*}000000000XXk=`10000000000aA{+70000000000000000000"
    "0B57=IV*mgE07O6l0RRC200001pa1~?00000005r=001LtX>Mi!000000RR916=`l}WdZ;I000310BCk&F#rGn01j|zbZ"
    "r0t000010002|X>f9I0002oX>en20001WXm(>m0RwOV0058x000009`FGC{rLC*01pFT0096PKmiN^|NjGU00093kN^M!"
    "000939=ZZRVE_RDDMA4O18@KU0|1Z!00RI30{|YNAb|yz>aLpR;31&EfB*mtfB*mk0EA)y0RRR>0l{;@i2wiq6Ju{|a&B"
    "X6cmM$a4FCp!0000KX>)L8000000000$0000$0000eV{Bn?0000W000010000G00001|NsBs00002|NsBc000020000Ga"
    "A|mH000000|*ER0000OX>e^}0000000001009Mo0s{qv0001|ZDe6|0001+C;_h%A)U<__z?GJ|LeRJ|CMV$^EbI{|M9}"
    "7-?uGa`poyF6ngqAdBPl>x6c9yS-4VIkwU!~Kc@EQ7<y&iHiYvV7nC@h89G={?x?yTBK5B$=R4@B>VT)YgWXu-<}sXY5)"
    "F^0*LTj_laU}Sj4pzUfXf-F&azsZ*N{mF90Ltb`rj=>u-3F%D1!LwBQf#W28%VQsgGs"
)
TURNED = base64.b85decode(
    "0000SW^{RQXk}?*00000ZE0pPXk}?*ZE0a<0005UZDn*}000000000XXk=`10000000000aA{+70000000000000000000"
    "0G-+&aV*mgE07O6l0ssL300001>i_`&00000005r=0ssI200N2t0RR9100000Bme*aIB98aW&i*H00062000$fZf0cy000"
    "000RRAKc4ILB0000LX>Mj^0ssI300IC2MR;ju000004sdC7Z2$lO00031009PRaB^?}008A_aAR)(004Dpc4I>U18@KU0F"
    "VFx0000U@BsY%`1k+-4+CHT0RR|40Sp2E{{wIU00RJ!0009300RIXx&lC90096gLID8-Z~y=U0FVFx0{{R603M(qfd!W8u"
    "A1iHA)vs3000bt00093gkk^z00u+>!E?ch0000JV{dG7ZewhC0096E00w{n000zeb8uw<00000002M$002M$001asY+-N!"
    "001BW00031000mG00061|Nr0s00092|Nqbc00062000nhX?SS>000032nYxO000STa&L440000PX>e^}0000000001009P"
    "p0s{qvh5!Hn8fkK6W&i*H000004r63<V*mmG0RRC2007HvWMOmw005gP0k0Dwoy{2d5cg;Q>%0~Jm1{rqH@R&8@xrIyw=G"
    "}#%=e@edipDQ!W^Bq&jJWpxKdb=LcJJ2ruOF;dS%`=g!3C0lsKFjI#^KdsJb8`^{*r6JLswEfTy{G-B{x0F`R7@4UeYRch"
    "1|BksvILE`p1I%NeQ8vRa(ikVyy}0}W34-z`J1*0fqEg81trG4a_3i#4dJk7fV>00u>PX=VTbO-%qQ000080099K00RI30"
    "096700000000"
)


def encoded(image, kind, **options):
    if isinstance(image, np.ndarray):
        image = Image.fromarray(image)
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def exif(orientation):
    tags = Image.Exif()
    tags[ORIENTATION] = orientation
    return tags


def assert_close(found, expected, tolerance=6):
    assert found.shape == expected.shape
    assert np.abs(found.astype(int) - expected).max() <= tolerance


LOSSLESS = [
    ("PNG", {}),
    ("BMP", {}),
    ("WEBP", {"lossless": True}),
    ("TIFF", {}),
    ("TIFF", {"compression": "tiff_lzw"}),
    ("TIFF", {"compression": "tiff_adobe_deflate"}),
    ("TIFF", {"big_tiff": True}),
    ("GIF", {}),
]
LOSSY = [
    ("JPEG", {"quality": 95}),
    ("JPEG", {"quality": 95, "progressive": True}),
    ("WEBP", {"quality": 95}),
    ("AVIF", {"quality": 95, "subsampling": "4:4:4"}),
    ("TIFF", {"compression": "jpeg", "quality": 95}),
]


@pytest.mark.parametrize(("kind", "options"), LOSSLESS)
def test_lossless_formats_give_the_very_pixels(kind, options):
    pixels = decode(encoded(PICTURE, kind, **options))
    assert pixels.dtype == np.uint8
    assert pixels.flags.c_contiguous
    np.testing.assert_array_equal(pixels, PICTURE)


@pytest.mark.parametrize(("kind", "options"), LOSSY)
def test_lossy_formats_give_nearly_the_pixels(kind, options):
    assert_close(decode(encoded(PICTURE, kind, **options))[8::16, 8::16], PICTURE[8::16, 8::16])


def test_heic_is_decoded():
    pixels = decode(HEIC)
    assert pixels.shape == (16, 32, 3)
    assert_close(pixels[:, [2, -3]], np.array([[(255, 0, 0), (0, 0, 255)]] * 16), 12)


@pytest.mark.parametrize(("kind", "options"), LOSSLESS[:-1])
def test_a_path_gives_the_same_as_its_bytes(kind, options, tmp_path):
    path = tmp_path / "name without extension"
    path.write_bytes(encoded(PICTURE, kind, **options))
    np.testing.assert_array_equal(decode(path), PICTURE)
    np.testing.assert_array_equal(decode(str(path)), PICTURE)


def test_load_gives_the_same_as_a_pillow_image():
    image = load(encoded(PICTURE, "PNG"))
    assert image.mode == "RGB"
    np.testing.assert_array_equal(np.asarray(image), PICTURE)


def test_jpeg_is_decoded_exactly_as_pillow_does():
    noise = np.random.default_rng(0).integers(0, 256, (61, 83, 3), np.uint8)
    data = encoded(noise, "JPEG", quality=60)
    np.testing.assert_array_equal(decode(data), np.asarray(Image.open(io.BytesIO(data))))


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_pictures_come_out_upright(kind, orientation):
    lossless = {"lossless": True} if kind == "WEBP" else {}
    data = encoded(STORED[orientation], kind, exif=exif(orientation), **lossless)
    np.testing.assert_array_equal(decode(data), PICTURE)


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("kind", ["JPEG", "AVIF"])
def test_photographs_come_out_upright(kind, orientation):
    data = encoded(STORED[orientation], kind, quality=95, exif=exif(orientation))
    assert_close(decode(data)[8::16, 8::16], PICTURE[8::16, 8::16])


def test_heic_comes_out_upright():
    pixels = decode(TURNED)
    assert pixels.shape == (32, 16, 3)
    assert_close(pixels[[2, -3]], np.array([[(255, 0, 0)] * 16, [(0, 0, 255)] * 16]), 12)


def test_png_keeps_its_exif_behind_the_pixels_too():
    png = encoded(STORED[6], "PNG", exif=exif(6))
    begin = png.index(b"eXIf") - 4
    length = 12 + int.from_bytes(png[begin : begin + 4], "big")
    chunk, end = png[begin : begin + length], len(png) - 12
    moved = png[:begin] + png[begin + length : end] + chunk + png[end:]
    np.testing.assert_array_equal(decode(moved), PICTURE)


@pytest.mark.parametrize(
    "tags", [b"Exif\0\0garbage", b"Exif\0\0", b"Exif\0\0II*\0\x08\0\0\0\xff\xff", exif(9), exif(0)]
)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's, about the tags
def test_broken_exif_is_ignored(kind, tags):
    plain = decode(encoded(PICTURE, kind))
    np.testing.assert_array_equal(decode(encoded(PICTURE, kind, exif=tags)), plain)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("GIF", {}),
        ("PNG", {}),
        ("WEBP", {"lossless": True}),
        ("TIFF", {}),
        ("AVIF", {}),
        ("MPO", {}),
    ],
)
def test_the_first_of_several_frames_is_taken(kind, options):
    others = [Image.fromarray(255 - PICTURE), Image.new("RGB", (48, 32))]
    data = encoded(PICTURE, kind, save_all=True, append_images=others, **options)
    assert_close(decode(data)[8::16, 8::16], PICTURE[8::16, 8::16])


def test_a_malformed_multi_picture_index_does_not_matter():
    data = encoded(PICTURE, "MPO", save_all=True, append_images=[Image.fromarray(PICTURE)])
    index = data.index(b"MPF\0") + 4
    broken = data[:index] + b"\xff" * 40 + data[index + 40 :]
    np.testing.assert_array_equal(decode(broken), decode(data))


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 1), (5, 7, 3), (5, 7, 4)])
def test_arrays_are_taken_as_pixels(shape):
    array = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    if shape[2:] == (4,):
        array[..., 3] = 255
    expected = np.broadcast_to(array[..., :3] if array.ndim == 3 else array[..., None], (5, 7, 3))
    np.testing.assert_array_equal(decode(array), expected)


def test_an_array_with_any_strides_is_taken():
    np.testing.assert_array_equal(decode(PICTURE[::-2, ::3, ::-1]), PICTURE[::-2, ::3, ::-1])


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((4, 4, 3), np.float32), r"array of float32 isn't an image: scale it to 0\.\.255"),
        (
            np.zeros((3, 9, 5), np.uint8),
            r"shape \(3, 9, 5\) isn't an image: pass \(height, width\)",
        ),
        (np.zeros((2, 4, 4, 3), np.uint8), r"shape \(2, 4, 4, 3\) .*; a batch one by one$"),
        (np.zeros(4, np.uint8), r"shape \(4,\)"),
    ],
)
def test_other_arrays_are_refused_with_a_remedy(array, message):
    with pytest.raises(UsageError, match=message):
        decode(array)


def test_other_things_are_refused_with_what_is_taken():
    with pytest.raises(UsageError, match=r"^a list isn't an image: pass a path, bytes, "):
        decode([1, 2, 3])


@pytest.mark.parametrize("nothing", [np.zeros((0, 5, 3), np.uint8), Image.new("RGB", (5, 0))])
def test_no_pixels_are_empty(nothing):
    with pytest.raises(ImageError, match=r"^empty: 5 × 0 pixels$"):
        decode(nothing)


def test_a_pillow_image_comes_out_upright_and_stays_as_it_was():
    image = Image.open(io.BytesIO(encoded(STORED[6], "PNG", exif=exif(6))))
    np.testing.assert_array_equal(decode(image), PICTURE)
    assert image.size == (32, 48)
    assert image.getexif()[ORIENTATION] == 6


def test_a_palette_image_keeps_its_palette():
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.putdata([0, 1])
    image.info["transparency"] = b"\0\xff"
    before = image.getpalette("RGBA")
    np.testing.assert_array_equal(decode(image), [[(255, 255, 255), (40, 50, 60)]])
    assert image.getpalette("RGBA") == before


def test_loading_a_pillow_image_gives_another_one():
    image = Image.fromarray(PICTURE)
    load(image).paste("white", (0, 0, 48, 32))
    np.testing.assert_array_equal(np.asarray(image), PICTURE)


def test_a_pillow_image_is_taken_at_its_current_frame():
    data = encoded(PICTURE, "TIFF", save_all=True, append_images=[Image.new("RGB", (3, 2), "red")])
    image = Image.open(io.BytesIO(data))
    image.seek(1)
    np.testing.assert_array_equal(decode(image), np.full((2, 3, 3), (255, 0, 0), np.uint8))


def test_a_missing_file_is_unreadable(tmp_path):
    with pytest.raises(ImageError, match=r"^unreadable: No such file or directory$"):
        decode(tmp_path / "gone.jpg")


def test_a_name_that_no_file_can_have_is_unreadable():
    with pytest.raises(ImageError, match=r"^unreadable: embedded null byte$"):
        decode("a\0b")


def test_a_folder_is_unreadable(tmp_path):
    with pytest.raises(ImageError, match=r"^unreadable: a folder, not an image; "):
        decode(tmp_path)


def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(ImageError, match=r"^unreadable: a device or a pipe, not a file$"):
        decode(tmp_path / "pipe.jpg")


def test_a_file_without_bytes_is_empty(tmp_path):
    (tmp_path / "a.jpg").touch()
    with pytest.raises(ImageError, match=r"^empty: zero bytes$"):
        decode(tmp_path / "a.jpg")


def test_a_file_over_the_limit_is_not_read(tmp_path):
    path = tmp_path / "a.bmp"
    with path.open("wb") as file:
        file.truncate(2**30 + 1)
    with pytest.raises(
        ImageError, match=r"^too_large: 1,073,741,825 bytes, the limit is 1,073,741,824"
    ):
        decode(path)


def test_a_file_that_grows_while_it_is_read_has_changed(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    path.write_bytes(encoded(PICTURE, "PNG"))
    opened = Path.open

    def grown(self, *args):
        os.truncate(self, self.stat().st_size + 5)
        return opened(self, *args)

    monkeypatch.setattr(Path, "open", grown)
    with pytest.raises(ImageError, match=r"^changed: \d+ bytes at first, then \d+$"):
        decode(path)


def test_heic_without_its_package_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pi_heif", None)
    with pytest.raises(
        ImageError, match=r"^unsupported_format: HEIF .*pip install 'penult\[heif\]'$"
    ):
        decode(HEIC)


def test_many_threads_decode_the_same():
    rng = np.random.default_rng(0)
    picture = Image.fromarray(rng.integers(0, 256, (40, 60, 3), np.uint8)).resize((300, 200))
    kinds = ["JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP"]
    files = [encoded(picture, kind) for kind in kinds] * 20
    expected = [decode(file) for file in files[: len(kinds)]] * 20
    with ThreadPoolExecutor(8) as pool:
        for found, pixels in zip(pool.map(decode, files), expected, strict=True):
            np.testing.assert_array_equal(found, pixels)
