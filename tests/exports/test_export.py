"""The table of writers, and those who name what is in it."""

from typing import get_args

import pytest
import typer

import penult
from penult.cli.commands import app
from penult.exports.export import WRITERS, ProgramName

SUFFIXES = [name for name in WRITERS if name.startswith(".")]
PROGRAMS = [name for name in WRITERS if not name.startswith(".")]


@pytest.fixture(scope="module")
def parameters():
    """Those of `penult export`, by name."""
    command = typer.main.get_command(app).commands["export"]
    return {parameter.name: parameter for parameter in command.params}


def test_the_command_takes_the_programs_that_there_are(parameters):
    assert [*parameters["program"].type.choices] == PROGRAMS


def test_the_function_takes_the_programs_that_there_are():
    assert list(get_args(ProgramName)) == PROGRAMS


def test_help_names_the_suffixes_that_there_are(parameters):
    words = parameters["out"].help.replace(";", "").split()
    assert [word for word in words if word.startswith(".")] == SUFFIXES


@pytest.mark.parametrize("name", WRITERS)
def test_the_function_s_words_name_each_suffix_and_program(name):
    assert f"`{name}`" in penult.export.__doc__


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_no_table_is_named_like_an_export(photos, model, suffix):
    with pytest.raises(penult.UsageError, match=f"extract to t.lance, then export it to t{suffix}"):
        penult.extract(photos, model, out=f"t{suffix}")
