"""What becomes of forged tables: one line, and no file of the user's read or moved for them.

    python benchmarks/forged.py [N] [JSON]

Forges some 300 tables (N of them, spread evenly, if it's given): every fact of the document of
origin, whole documents, columns, rows' paths and weights. The usual commands are run on each, in a
process of its own, as the command line runs them. Paths are those of canaries: files of other
sizes, times or content than the table says.

It ends with 1 if one of these promises is broken: exit codes 0 to 2, at most `LINES` lines of
error, none of them a traceback or a bug; nothing printed that steers a terminal; `SECONDS` of a
core at most; no canary opened, changed or moved.

Needs Linux.
"""

import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

PHOTOS = Path(__file__).parents[1] / "examples/photos"
COUNT = 6  # images of the table
SECONDS = 25
TABLE_SECONDS = 600  # by the clock, for all commands on one
REFUSED = 2  # exit code
LINES = 3
STEERS = "\x1b[31m<script>alert(1)</script>\n\x07\u202e"
ODD = {
    "null": None,
    "true": True,
    "negative": -1,
    "huge": 10**12,
    "real": 0.5,
    "long": "x" * 5000,
    "steers": STEERS,
    "nul": "a\0b",
    "list": [1, [2]],
    "object": {STEERS: STEERS, "a": 1},
    "surrogate": "\ud800",
}
WATCH = """
import os, sys
def note(event, arguments, log=os.environ["FORGED_LOG"], canaries=os.environ["FORGED_CANARIES"]):
    if event in ("open", "os.rename", "os.link", "os.remove") and canaries in str(arguments[0]):
        file = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(file, f"{event} {arguments[0]}\\n".encode())
        os.close(file)
sys.addaudithook(note)
"""  # for decoder processes too

Documents = Iterator[tuple[str, bytes]]
Tables = Iterator[tuple[str, Any]]


def main() -> int:
    """Forge, run, report."""
    os.chdir(tempfile.mkdtemp(prefix="forged"))
    counts = [int(each) for each in sys.argv[1:] if each.isdigit()]
    names = _made_elsewhere(_forge, counts[0] if counts else None)
    broken: list[str] = []
    _watch()
    commands = 0
    for name in names:
        found = _made_elsewhere(_try, name)
        commands += found[0]
        broken += found[1]
        for line in found[1]:
            print(line, flush=True)
    for line in _touched():
        print(f"canaries: {line}", flush=True)
        broken.append(line)
    result = {"tables": len(names), "commands": commands, "broken": len(broken)}
    print(json.dumps(result))
    for out in (each for each in sys.argv[1:] if not each.isdigit()):
        Path(out).write_text(json.dumps({**result, "lines": broken}, indent=2), encoding="utf-8")
    shutil.rmtree(Path.cwd())
    return bool(broken)


def _made_elsewhere(make: Callable[[Any], Any], argument: object) -> Any:  # noqa: ANN401 -- JSON
    """What a function makes in a process of its own: Lance's threads don't outlive a fork."""
    reader, writer = os.pipe()
    pid = os.fork()
    if not pid:
        signal.alarm(TABLE_SECONDS)
        try:
            made = json.dumps(make(argument)).encode()
        except BaseException as exc:  # noqa: BLE001 -- told as what is broken
            made = json.dumps([0, [f"{argument}: {exc!r}"]]).encode()
        os.write(writer, made)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        made = stream.read()
    os.waitpid(pid, 0)
    return json.loads(made or json.dumps([0, [f"{argument}: the process died"]]))


def _forge(count: int | None) -> list[str]:
    import lance

    import penult

    Path("images").mkdir()
    for photo in sorted(PHOTOS.glob("*.jpg"))[:COUNT]:
        shutil.copy(photo, "images")
    Path("images/broken.jpg").touch()
    penult.extract("images", out="true.lance")
    _lay_canaries()
    true = lance.dataset("true.lance").to_table()
    document = json.loads(true.schema.metadata[b"penult"])
    every = [(name, _with(true, text)) for name, text in _documents(document)]
    every += [*_columns(true), *_paths(true)]
    count, names = min(count or len(every), len(every)), []
    for name, table in (every[number * len(every) // count] for number in range(count)):
        try:
            lance.write_dataset(table, f"tables/{name}.lance")
        except (OSError, ValueError) as exc:  # Lance doesn't take it, so no table can be so
            print(f"{name}: not forged: {str(exc)[:80]}", file=sys.stderr)
        else:
            names.append(name)
    return names


def _lay_canaries() -> None:
    Path("canaries").mkdir()
    for name in ("secret.txt", "w.safetensors", "w.onnx", "w.tar.gz", "w.ckpt.index", "p.jpg"):
        Path("canaries", name).write_bytes(b"a secret")
        os.utime(Path("canaries", name), (10**9, 10**9))
    os.mkfifo("canaries/pipe")


def _with(table: Any, document: bytes) -> Any:  # noqa: ANN401 -- pyarrow has no types
    return table.replace_schema_metadata({b"penult": document})


def _documents(document: dict[str, Any]) -> Documents:
    def forged(part: str, **facts: object) -> bytes:
        return json.dumps(document | {part: document[part] | facts}).encode()

    for part in ("provenance", "notes"):
        for fact in document[part]:
            for kind, value in ODD.items():
                yield f"{part}-{fact}-{kind}", forged(part, **{fact: value})
        yield f"{part}-of-names", forged(part, **{STEERS: STEERS, "long" * 500: 1})
        yield f"{part}-deep", _deep(document, part)
    canaries = [f"{Path.cwd()}/canaries/{each.name}" for each in Path("canaries").iterdir()]
    for number, path in enumerate(
        [*canaries, "/dev/zero", "/proc/self/mem", "/etc", "/etc/passwd"]
    ):
        for size in (7, 9):
            notes = {"weights_path": path, "weights_files": {"w": size}}
            once = json.loads(forged("notes", **notes))
            once["provenance"]["weights_sha256"] = "0" * 64
            yield f"weights-{number}-{size}", json.dumps(once).encode()
    layers: list[object] = [{}, [], {"a": [1]}, {"pooled_features": [-1280]}]
    layers += [
        {"pooled_features": [2, 640]},
        {"pooled_features": [1280], "key": [1]},
        {STEERS: [1]},
    ]
    layers += [{"pooled_features": [2**31, 2**31]}, {"pooled_features": "1280"}]
    for number, value in enumerate(layers):
        yield f"layers-{number}", json.dumps(document | {"layers": value}).encode()
    texts = [b"", b"null", b"{", b"[" * 10**6, b'{"format": 99}', b"\xff\xfe", b"1" * 10**5]
    for number, text in enumerate(texts):
        yield f"document-{number}", text


def _deep(document: dict[str, Any], part: str) -> bytes:
    text = json.dumps(document | {part: document[part] | {"deep": "HERE"}})
    return text.replace('"HERE"', '{"a":' * 500 + "1" + "}" * 500).encode()


def _columns(true: Any) -> Tables:  # noqa: ANN401 -- pyarrow has no types
    import numpy as np
    import pyarrow as pa

    count = len(true)
    for place, field in enumerate(true.schema):
        nullable = field.with_nullable(True)
        yield f"null-{field.name}", true.set_column(place, nullable, pa.nulls(count, field.type))
        yield f"no-{field.name}", true.drop_columns([field.name])
        yield f"text-{field.name}", true.set_column(place, field.name, pa.array([STEERS] * count))
        extremes = {"int32": (-(2**31), 2**31 - 1), "int64": (-(2**63), 2**63 - 1)}
        extremes |= {"timestamp[ns]": (-(2**63) + 1, 2**63 - 1), "string": (STEERS, "", "../" * 99)}
        for number, value in enumerate(extremes.get(str(field.type), ())):
            values = pa.array([value] * count, field.type)
            yield f"extreme-{field.name}-{number}", true.set_column(place, field, values)
    vectors = true.schema.get_field_index("pooled_features")
    for value in (np.nan, np.inf, 0.0, 3.4e38):
        block = pa.array(np.full(count * 1280, value, np.float32))
        forged = pa.FixedSizeListArray.from_arrays(block, 1280)
        yield f"vectors-{value}", true.set_column(vectors, true.schema.field(vectors), forged)
    added = {"x": [np.nan] * count, "cluster": [STEERS] * count, STEERS: [1] * count}
    added |= {"y": [None] * count, "label": [b"\xff"] * count, "a b": [[1]] * count}
    for number, (name, values) in enumerate(added.items()):
        yield f"added-{number}", true.append_column(name, pa.array(values))
    yield "rows-none", true.slice(0, 0)
    yield "rows-one", true.slice(0, 1)


def _paths(true: Any) -> Tables:  # noqa: ANN401 -- pyarrow has no types
    """Rows whose files are others: of another size or time, and no images but by their names."""
    import pyarrow as pa

    home = Path.cwd()
    paths = [f"{home}/canaries/{each.name}" for each in sorted(Path("canaries").iterdir())]
    paths += ["/dev/zero", "/dev/stdin", "/proc/self/mem", "/etc", "relative.jpg", "", "a\0b"]
    paths += ["/" + "a" * 5000, f"{home}/canaries/../canaries/p.jpg"]
    for number, path in enumerate(paths):
        for size in (0, 7):
            columns = {"path": path, "bytes": size, "mtime": 10**18}
            forged = true
            for name, value in columns.items():
                place = forged.schema.get_field_index(name)
                field = forged.schema.field(place)
                forged = forged.set_column(place, field, pa.array([value] * len(true), field.type))
            yield f"path-{number}-{size}", forged


def _watch() -> None:
    """Have all processes of Python note what they do with canaries."""
    Path("watch").mkdir()
    Path("watch/sitecustomize.py").write_text(WATCH, encoding="ascii")
    os.environ["FORGED_LOG"] = str(Path("log").absolute())
    os.environ["FORGED_CANARIES"] = str(Path("canaries").absolute())
    os.environ["PYTHONPATH"] = f"{Path('watch').absolute()}:{os.environ.get('PYTHONPATH', '')}"


def _touched() -> list[str]:
    lines = Path("log").read_text("utf-8").splitlines() if Path("log").exists() else []
    for file in sorted(Path("canaries").iterdir()):
        if file.is_file() and (file.read_bytes() != b"a secret" or file.stat().st_mtime != 10**9):
            lines.append(f"{file} was changed")
    if len([*Path("canaries").iterdir()]) != 7:
        lines.append("one was moved")
    return lines


def _try(name: str) -> tuple[int, list[str]]:
    exec(WATCH, {})
    table, out = f"tables/{name}.lance", f"out/{name}"
    Path("out").mkdir(exist_ok=True)
    image = str(next(iter(sorted(PHOTOS.glob("*.jpg")))))
    commands = [
        ["info", table],
        ["info", table, "--json"],
        ["failures", table],
        ["search", table, Path(image).name, "-k", "3"],
        ["search", table, image, "-k", "3"],
        ["verify", table, "-n", "2"],
        ["duplicates", table, "-o", f"{out}.csv"],
        ["duplicates", table, "--hard-link", f"{out}.linked", "--root", ".", "--features-alone"],
        ["outliers", table, "-n", "2"],
        ["export", table, f"{out}.parquet"],
        ["export", table, f"{out}.npz"],
        ["view", table, "--html", f"{out}.html"],
    ]
    return len(commands), [f"{name}: {each[0]}: {w}" for each in commands for w in _wrong(each)]


def _wrong(command: list[str]) -> Iterator[str]:
    """What is wrong with how a command ends."""
    from penult.cli import _run

    sys.argv = ["penult", *command]
    started = time.process_time()
    code, out, err = _captured(_run)
    if code not in (0, 1, 2):
        yield f"exit code {code}"
    if any(word in err for word in ("Traceback", "this is a bug", "panicked")):
        yield repr(err[-300:])
    if steering := {c for c in out + err if not (c.isprintable() or c == "\n")}:
        yield f"steers the terminal: {sorted(steering)}"
    if code == REFUSED and len(err.splitlines()) > LINES:
        yield f"{len(err.splitlines())} lines"
    if time.process_time() - started > SECONDS:
        yield f"{time.process_time() - started:.0f} s"


def _captured(run: Callable[[], int]) -> tuple[int, str, str]:
    """Exit code, and what went to the descriptors, by libraries too."""
    kept = [os.dup(number) for number in (1, 2)]
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        for number, stream in enumerate((out, err), 1):
            os.dup2(stream.fileno(), number)
        code = run()
        sys.stdout.flush()
        for number, old in enumerate(kept, 1):
            os.dup2(old, number)
            os.close(old)
        texts = []
        for stream in (out, err):
            stream.seek(0)
            texts.append(stream.read().decode("utf-8", "backslashreplace"))
    return code, texts[0], texts[1]


if __name__ == "__main__":
    sys.exit(main())
