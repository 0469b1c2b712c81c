"""What the interpreter itself sees while a file is read: that file is opened, and nothing else."""

import json
import subprocess
import sys

import pytest

CHILD = """
import json, sys
from penult.checkpoints import open_checkpoint
from penult.errors import CheckpointError

open_checkpoint(sys.argv[1])  # to have imported what is imported late, codecs for instance
events = []
recording = False

def hook(event, arguments):
    if recording:
        events.append((event, str(arguments[0]) if arguments else ""))

sys.addaudithook(hook)
seen = []
for path in sys.argv[2:]:
    events.clear()
    recording = True
    try:
        checkpoint = open_checkpoint(path)
        for name in checkpoint:
            checkpoint[name]
    except CheckpointError:
        pass
    recording = False
    seen.append((path, list(events)))
print(json.dumps(seen))
"""


@pytest.fixture
def events(op, write_zip, tmp_path):
    """The audit events other than opening the file itself, by path."""

    def events_of(paths):
        harmless = write_zip(op.state()).rename(tmp_path / "harmless.pth")
        child = [sys.executable, "-c", CHILD, harmless, *paths]
        result = subprocess.run(child, capture_output=True, text=True, check=True)
        return {
            path: [(event, what) for event, what in seen if (event, what) != ("open", path)]
            for path, seen in json.loads(result.stdout)
        }

    return events_of


def test_good_files_are_mapped_and_nothing_else(data, events):
    paths = [*data.glob("*.pth"), *data.glob("*.safetensors"), *data.glob("*.ckpt")]
    for path, seen in events(paths).items():
        assert {event for event, _ in seen} <= {"mmap.__new__"}, path


def test_hostile_pickles_are_mapped_and_nothing_else(data, op, tmp_path, write_zip, events):
    names = (data / "hostile_globals.txt").read_text().split()
    paths = []
    for number, name in enumerate(names):
        module, _, last = name.rpartition(".")
        call = op.name(module, last) + op.tuple(op.text("echo hello")) + b"R"
        paths.append(write_zip(op.pickle(call)).rename(tmp_path / f"{number}.pth"))
    for path, seen in events(paths).items():
        assert {event for event, _ in seen} <= {"mmap.__new__"}, path
