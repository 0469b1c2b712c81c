"""What commands say on standard error: notes, errors for people and for programs, or nothing."""

import json

import pytest

from penult.cli.voice import Anywhere
from penult.errors import UsageError
from penult.util import machine


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (["info", "nothing"], "StoreError", "'nothing': there is nothing"),
        (["extract", "nothing"], "SourceError", "no source 'nothing'"),
        (["extract", "--nope"], "UsageError", "No such option: --nope"),
        (["info"], "UsageError", "Missing argument 'table'."),
        (["infoo"], "UsageError", "No such command 'infoo'. Did you mean 'info'?"),
        (["extract", "--pool", "sum"], "UsageError", "Invalid value for '--pool'"),
        (["info", "--threads"], "UsageError", "--threads needs a number, not '--json'"),
    ],
)
def test_an_error_is_one_object(run, arguments, error, message):
    done = run(*arguments, "--json")
    assert (done.returncode, done.stdout) == (2, "")
    told = json.loads(done.stderr)
    assert told.keys() == {"error", "message", "exit_code"}
    assert (told["error"], told["exit_code"]) == (error, 2)
    assert message in told["message"]


def test_an_error_for_people_is_one_line(run):
    done = run("info", "nothing", "--quiet")
    assert done.returncode == 2
    assert done.stderr.startswith("penult: ")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(("stop", "code"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_a_stop_is_an_object_too(process, photos, stop, code):
    script = f"""
import os, signal
import penult, penult.cli
def stopped(*_, **__): os.kill(os.getpid(), signal.{stop})
penult.extract = stopped
penult.cli.main()
"""
    done = process("extract", photos, "--json", script=script)
    told = json.loads(done.stderr)
    assert (done.returncode, told["error"], told["exit_code"]) == (code, "Interrupted", code)
    assert told["message"] == "stopped; run the same command again to continue"


def test_a_stop_that_a_command_knows_nothing_of(process):
    script = """
import penult, penult.cli
def stopped(*_, **__): raise KeyboardInterrupt
penult.open = stopped
penult.cli.main()
"""
    done = process("info", "t", "--json", script=script)
    assert done.returncode == 130
    assert json.loads(done.stderr)["message"] == "stopped"


def test_quiet_prints_results_only(process, photos):
    assert process("extract", photos, "-o", "t.lance").stderr.startswith("penult: t.lance: ")
    assert process("--quiet", "extract", photos, "-o", "t.lance").stderr == ""
    done = process("cluster", "t.lance", "-k", 3, "--quiet", "--threads=1")
    assert len(done.stdout.splitlines()) == 3
    assert done.stderr == ""


def test_a_bug_is_an_object_too(process):
    script = "import penult, penult.cli; penult.open = None; penult.cli.main()"
    done = process("info", "t", "--json", script=script)
    told = json.loads(done.stderr)
    assert (done.returncode, told["error"]) == (2, "TypeError")
    assert "this is a bug" in told["message"]


def test_options_stand_anywhere_but_not_behind_a_double_dash():
    taken = Anywhere.take(["--threads", "2", "info", "--quiet", "t", "--debug", "--", "--quiet"])
    assert taken == Anywhere(True, True, 2, [], ["info", "t", "--", "--quiet"])
    assert Anywhere.take(["info", "--threads=3"]) == Anywhere(False, False, 3, [], ["info"])
    taken = Anywhere.take(["--remote", "s3://a", "view", "t", "--remote=gs://b"])
    assert taken == Anywhere(False, False, None, ["s3://a", "gs://b"], ["view", "t"])
    with pytest.raises(UsageError, match="--threads needs a number, not 'two'"):
        Anywhere.take(["--threads", "two"])


def test_threads_limit_cores(monkeypatch):
    monkeypatch.setattr(machine, "_most", None)
    monkeypatch.setattr(machine.os, "environ", {"OMP_NUM_THREADS": "7"})
    machine.set_threads(1)
    assert (machine.cores(), machine.workers(0)) == (1, 1)
    assert machine.os.environ["OMP_NUM_THREADS"] == "7"
    assert machine.os.environ["OPENBLAS_NUM_THREADS"] == "1"
    with pytest.raises(UsageError, match="threads must be at least 1, not 0"):
        machine.set_threads(0)


def test_a_run_with_one_thread_has_one_decoder(process, photos):
    script = """
import sys, penult
from penult.images import processes
penult.set_threads(1)
penult.extract(sys.argv[1], out="one.lance")
print(len(processes._pool.all))
"""
    assert process(photos, script=script).stdout == "1\n"
