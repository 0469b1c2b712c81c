"""Who is answered, and with what: hosts, origins, tokens, paths."""

import http.client
import json
import sys
import time
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from itertools import product
from threading import BoundedSemaphore
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import Image

from penult.viewer import server
from penult.viewer.requests import Request
from penult.viewer.routes import REQUEST_BYTES
from penult.viewer.server import UPLOADS

ROUTES = ["/", "/main.js", "/map/dots.js", "/style/page.css", "/edition", "/copy", "/text",
          "/1/meta", "/1/keys", "/1/failures", "/1/column/0", "/1/words/0", "/1/thumb/0",
          "/1/image/0"]  # fmt: skip
HOSTS = ["evil.example", "evil.example:{port}", "127.0.0.1", "localhost", "127.0.0.1:1",
         "0.0.0.0:{port}", "[::1]:{port}", "127.0.0.1.evil.example:{port}", "127.0.0.1:{port}.",
         "localhost.:{port}", "LOCALHOST:{port}", "user@127.0.0.1:{port}", "127.1:{port}",
         "2130706433:{port}", "0x7f000001:{port}", "192.168.0.1:{port}", "", " ",
         "127.0.0.1:{port}", "localhost:{port}"]  # fmt: skip
ORIGINS = [
    {},
    {"Origin": "http://evil.example"},
    {"Origin": "null"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "same-origin"},
]
OUTSIDE = [
    *("/..", "/../", "/../../etc/passwd", "/static/../server.py", "/%2e%2e/server.py"),
    *("//etc/passwd", "/\\etc\\passwd", "/etc/passwd", "/1/thumb//etc/passwd", "/1/thumb/../meta"),
    *(
        "/1/thumb/-1",
        "/1/thumb/8",
        "/1/thumb/999999999",
        "/1/thumb/1e0",
        "/1/thumb/0x0",
        "/1/thumb/٣",
    ),
    *("/1/thumb/0/", "/1/thumb/0%00", "/1/thumb/0;a", "/1/thumb/%30", "/1/thumb/ 0", "/1//thumb/0"),
    *("/./1/meta", "/thumb/0", "/-1/meta", "/٣/meta", "/1/2/meta", "/copy/", "/near", "/paths"),
    *("http://127.0.0.1/meta", "file:///etc/passwd", "*", "/index.html/", "/__init__.py"),
]
CLIMBS = [
    f"/{start}{step * times}{target}"
    for start, step, times, target in product(
        ("", "thumb/", "image/"),
        ("../", "..%2f", "%2e%2e/", "..\\", "....//", "..%c0%af", "..%252f"),
        (1, 3, 9),
        ("etc/passwd", "server.py", "t.lance"),
    )
]


@pytest.fixture(scope="module")
def ask(viewer):
    port = urlsplit(viewer.url).port
    first = _asked(port, "GET", urlsplit(viewer.url)._replace(scheme="", netloc="").geturl(), {})
    cookie = first.headers["Set-Cookie"].partition(";")[0]

    def ask(target, method="GET", headers=(), known=True, host="127.0.0.1:{port}", body=None):
        given = {"Host": host.format(port=port), **dict(headers)}
        if known:
            given["Cookie"] = cookie
        return _asked(port, method, target, given, body)

    return ask


@pytest.fixture(scope="module")
def post(ask, viewer):
    """Send JSON as the page does."""
    origin = {"Origin": f"http://{urlsplit(viewer.url).netloc}"}

    def post(target, body):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return ask(target, "POST", origin, body=data)

    return post


def _asked(port, method, target, headers, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection._validate_path = lambda url: None  # what a browser wouldn't send is sent here
    connection._encode_request = lambda request: request.encode()
    connection.putrequest(method, target, skip_host="Host" in headers)
    for name, value in headers.items():
        connection.putheader(name, value)
    if body is not None and "Content-Length" not in headers:
        connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body)
    answer = connection.getresponse()
    answer.data = answer.read()
    connection.close()
    _require_safe(answer)
    return answer


def _require_safe(answer):
    """What each answer has, whatever it is."""
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert "unsafe" not in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"


def test_only_this_page_with_its_cookie_is_answered(ask):
    for route, host, origin, known in product(ROUTES, HOSTS, ORIGINS, (True, False)):
        answer = ask(route, headers=origin, host=host, known=known)
        ours = host in HOSTS[-2:] and known and origin in (ORIGINS[0], ORIGINS[-1])
        assert answer.status == (200 if ours else 403), (route, host, origin, known)


def test_the_cookie_is_hidden_and_of_this_site_only(viewer):
    parts = urlsplit(viewer.url)
    answer = _asked(parts.port, "GET", f"/?{parts.query}", {})
    assert answer.headers["Set-Cookie"].endswith("; HttpOnly; SameSite=Strict; Path=/")
    assert parts.query.removeprefix("token=") not in answer.headers["Set-Cookie"]


def test_a_wrong_token_gets_nothing(ask, viewer):
    token = urlsplit(viewer.url).query
    for wrong in ("token=", "token=x", token[:-1], token + "x", "TOKEN" + token[5:], "token=é"):
        answer = ask(f"/?{wrong}", known=False)
        assert (answer.status, answer.headers["Set-Cookie"]) == (403, None)


def test_a_token_opens_no_other_route(ask, viewer):
    assert ask(f"/1/keys?{urlsplit(viewer.url).query}", known=False).status == 403


@pytest.mark.parametrize("target", OUTSIDE)
def test_nothing_outside_is_found(ask, target):
    assert ask(target).status in (400, 404)


def test_no_climb_leads_anywhere(ask):
    assert len(CLIMBS) > 180
    for target in CLIMBS:
        answer = ask(target)
        assert answer.status == 404, target


@pytest.mark.parametrize("method", ["HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"])
def test_other_methods_are_refused(ask, method):
    answer = ask("/1/keys", method=method)
    assert answer.status == 501


def test_a_search_by_image_has_to_come_from_this_page(ask):
    assert ask("/like", "POST", body=b"x").status == 403
    assert ask("/like", "POST", {"Origin": "http://evil.example"}, body=b"x").status == 403


def test_what_is_no_image_is_refused_with_its_reason(ask, viewer):
    origin = {"Origin": f"http://{urlsplit(viewer.url).netloc}"}
    answer = ask("/like", "POST", origin, body=b"<svg onload=alert(1)>")
    assert answer.status == 422
    assert answer.data == b"unsupported_format: SVG isn't read: convert it to PNG or JPEG"
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"


@pytest.mark.parametrize(
    ("length", "status"), [("99999999999", 413), ("-1", 411), ("x", 411), ("", 411)]
)
def test_a_body_has_a_length_within_limits(ask, viewer, length, status):
    origin = {"Origin": f"http://{urlsplit(viewer.url).netloc}", "Content-Length": length}
    assert ask("/like", "POST", origin).status == status


def test_few_bodies_are_in_memory_at_a_time(ask, viewer, monkeypatch):
    origin = {"Origin": f"http://{urlsplit(viewer.url).netloc}"}
    now, most = [], []

    def like(data):
        now.append(data)
        most.append(len(now))
        time.sleep(0.02)
        now.pop()
        return {}

    monkeypatch.setattr(viewer._content, "like", like)
    with ThreadPoolExecutor(12) as threads:
        sent = [threads.submit(ask, "/like", "POST", origin, body=b"x") for _ in range(12)]
    assert [each.result().status for each in sent] == [200] * 12
    assert max(most) == UPLOADS


def test_a_search_that_waits_too_long_is_refused(ask, viewer, monkeypatch):
    origin = {"Origin": f"http://{urlsplit(viewer.url).netloc}"}
    monkeypatch.setattr(server, "PATIENCE", 0.1)
    monkeypatch.setattr(viewer._server, "uploads", BoundedSemaphore(1))
    with viewer._server.uploads:
        answer = ask("/like", "POST", origin, body=b"x")
    assert (answer.status, answer.data) == (503, b"too many searches at a time: try again")


def test_rows_are_pictures_made_anew(ask):
    answer = ask("/1/thumb/0")
    assert answer.headers["Content-Type"] == "image/jpeg"
    assert answer.data[:3] == b"\xff\xd8\xff"


@pytest.mark.parametrize(
    ("key", "reason"), [("b/gone.png", b"unreadable: "), ("b/changed.png", b"changed: ")]
)
def test_other_files_than_the_rows_are_not_shown(ask, key, reason):
    row = json.loads(ask("/1/keys").data).index(key)
    answer = ask(f"/1/thumb/{row}")
    assert answer.status == 422
    assert answer.data.startswith(reason)


def test_columns_are_numbers_or_words(ask):
    columns = json.loads(ask("/1/meta").data)["columns"]
    place = {column["name"]: number for number, column in enumerate(columns)}
    widths = np.frombuffer(ask(f"/1/column/{place['width']}").data, "<i4")
    assert widths.tolist() == [60, 70, 80, 90, 100, 110, 120, 130]
    labels = np.frombuffer(ask(f"/1/column/{place['label']}").data, "<i4")
    words = json.loads(ask(f"/1/words/{place['label']}").data)
    assert [words[label] for label in labels] == ["<u>0</u>", "<u>1</u>"] * 4


def test_neighbours_are_rows_with_scores(post):
    near = json.loads(post("/near", {"edition": 1, "row": 0}).data)
    assert len(near["rows"]) == len(near["scores"]) == 7
    assert 0 not in near["rows"]


def in_bits(*rows):
    return b64encode(bytes([sum(1 << row for row in rows)])).decode()


def test_neighbours_are_those_among_the_rows_that_filters_leave(post):
    every = json.loads(post("/near", {"edition": 1, "row": 0}).data)
    among = {"edition": 1, "row": 0, "among": in_bits(0, 2, 7)}
    near = json.loads(post("/near", among).data)
    assert near["rows"] == [row for row in every["rows"] if row in (2, 7)]
    assert near["scores"] == [
        score for row, score in zip(every["rows"], every["scores"], strict=True) if row in (2, 7)
    ]


def test_a_vector_finds_its_row_first(post):
    vector = np.array([1.1, 0.1, 0.1, 0.1], "<f4")
    asked = {"edition": 1, "vector": b64encode(vector.tobytes()).decode()}
    near = json.loads(post("/near", asked).data)
    assert (near["rows"][0], near["scores"][0]) == (0, 1)


@pytest.mark.parametrize(
    ("target", "body", "said"),
    [
        ("/near", b"{", "has to be JSON that names its edition"),
        ("/near", b"[" * 100_000, "has to be JSON"),
        ("/near", {"row": 0}, "names its edition"),
        ("/near", {"edition": 1, "row": 8}, "there is no such row"),
        ("/near", {"edition": 1, "row": True}, "there is no such row"),
        ("/near", {"edition": 1}, "vector has to be a text"),
        ("/near", {"edition": 1, "vector": "AAAA"}, "vector has 3 bytes, expected four"),
        ("/near", {"edition": 1, "vector": "AADAfw=="}, "a vector to search has 4 values"),
        ("/near", {"edition": 1, "row": 0, "among": "AAAA"}, "expected a bit for each row"),
        ("/near", {"edition": 1, "row": 0, "among": "?"}, "among has to be base64"),
        ("/paths", {"edition": 1, "rows": 7}, "rows has to be a text"),
        ("/copy", {"edition": 1, "rows": "/w=="}, "folder has to be a text"),
    ],
)
def test_what_is_no_request_is_refused(post, target, body, said):
    answer = post(target, body)
    assert (answer.status, said in answer.data.decode()) == (422, True)


@pytest.mark.parametrize("edition", [0, 2, -1, 10**30])
def test_rows_of_other_editions_are_none(ask, post, edition):
    assert post("/near", {"edition": edition, "row": 0}).status == 410
    assert ask(f"/{max(0, edition) % 10**9}/thumb/0").status == 410


@pytest.mark.parametrize("target", ["/near", "/paths", "/copy", "/copy/stop"])
def test_requests_about_rows_come_from_this_page_and_within_limits(ask, viewer, target):
    ours = {"Origin": f"http://{urlsplit(viewer.url).netloc}"}
    assert ask(target, "POST", body=b"{}").status == 403
    assert ask(target, "POST", {"Origin": "http://evil.example"}, body=b"{}").status == 403
    assert ask(target, "POST", ours, body=b"{}", known=False).status == 403
    long = ours | {"Content-Length": str(REQUEST_BYTES + 1)}
    assert ask(target, "POST", long).status == 413


def test_an_unknown_address_takes_nothing(post):
    assert post("/move", {"edition": 1}).status == 404


def test_paths_are_those_of_the_rows(post, table):
    rows = [2, 5]
    found = json.loads(post("/paths", {"edition": 1, "rows": in_bits(*rows)}).data)
    assert found == [str(table.parent / f"{row}.png") for row in rows]


def test_an_image_finds_its_own_row_and_then_its_like(photographed, photos):
    keys = photographed._content.edition.keys
    with Image.open(photos / "cat_chelsea.jpg") as photo:
        turned = BytesIO()
        exif = Image.Exif()
        exif[0x0112] = 6  # to be turned by 90 degrees
        photo.transpose(Image.Transpose.ROTATE_90).save(turned, "JPEG", quality=95, exif=exif)
    near = _near(photographed, turned.getvalue())
    assert [keys[row] for row in near["rows"]][:2] == ["cat_chelsea.jpg", "cat_kitten.jpg"]
    assert near["scores"][0] > 0.98


def _near(viewer, data):
    content = viewer._content
    body = {"edition": 1} | content.like(data)
    return content.near(content.edition, Request.read(json.dumps(body).encode()))


def test_a_dropped_image_is_decoded_in_a_process_only(photographed, photos, monkeypatch):
    here = sys.modules["penult.images.decode"]  # the package has a function of that name
    monkeypatch.setattr(here, "open_lazily", None)
    near = _near(photographed, (photos / "cat_kitten.jpg").read_bytes())
    assert near["scores"][0] > 0.99
