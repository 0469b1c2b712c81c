"""Commands and functions are twins: the same words, but for the differences that are meant."""

from inspect import Parameter, signature

import pytest
from typer.main import get_command

import penult
from penult.cli import app
from penult.cli.panels import PANELS

COMMANDS = {command.callback.__name__: command.callback for command in app.registered_commands}
WITHOUT_FUNCTION = {
    "info": "Features.info",
    "failures": "Features.failures",
    "convert": "Model.write_onnx, of load_model",
}

# of the command line only: files to write and what to print; `classify --probe` is Probe.classify
OUTPUT = {"as_json", "out", "html", "png", "profile", "allow_failures"}
COMMAND_ONLY = {
    "classify": {"probe"},
    "duplicates": {"move", "hard_link", "features_alone"},  # penult.analysis.filing
    "download": {"names"},  # several
}
# of Python only: what a command draws or repeats itself
FUNCTION_ONLY = {
    "compare": {"others"},  # the method's other tables
    "download": {"name"},
    "map": {"columns"},
}
DRAWN = {"progress"}
# those that aren't the same, as (command, function); nothing, an empty list and None are the same
DEFAULTS = {
    ("cluster", "store"): (True, False),
    ("map", "store"): (True, False),
    ("verify", "n"): ("50", 50),
    ("compare", "metric"): (None, ("cka", "rsa", "knn", "procrustes")),
}
FLAGS = {"as_json": "--json", "data_dir": "--data_dir", "checkpoint_file": "--checkpoint_file"}


def function(name):
    return getattr(penult.legacy if name.endswith("_features") else penult, name)


TWINS = sorted(COMMANDS.keys() - WITHOUT_FUNCTION.keys())


@pytest.mark.parametrize("name", TWINS)
def test_words_are_the_same(name):
    command = set(signature(COMMANDS[name]).parameters)
    twin = set(signature(function(name)).parameters)
    written = OUTPUT - twin
    assert command - twin - written == COMMAND_ONLY.get(name, set())
    assert twin - command - DRAWN == FUNCTION_ONLY.get(name, set())


@pytest.mark.parametrize("name", TWINS)
def test_defaults_are_the_same(name):
    command = signature(COMMANDS[name]).parameters
    twin = signature(function(name)).parameters
    differ = {
        (name, each): (command[each].default, twin[each].default)
        for each in command.keys() & twin.keys()
        if (command[each].default or None) != (twin[each].default or None)
        and Parameter.empty not in (command[each].default, twin[each].default)
    }
    assert differ == {key: value for key, value in DEFAULTS.items() if key[0] == name}


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_options_are_spelt_as_their_parameters(name):
    command = get_command(app).commands[name.replace("_", "-")]
    for option in command.params:
        spelt = [each for each in option.opts if each.startswith("--")]
        if option.param_type_name == "option" and spelt:
            expected = FLAGS.get(option.name, f"--{option.name.replace('_', '-')}")
            assert spelt == [expected]
            assert option.secondary_opts in ([], [expected.replace("--", "--no-")])


def test_commands_without_a_function_have_an_attribute_instead():
    for words in WITHOUT_FUNCTION.values():
        owner, attribute = words.partition(",")[0].split(".")
        assert hasattr(getattr(penult, owner), attribute)


def test_help_shows_each_command_in_its_panel():
    listed = [name for names in PANELS.values() for name in names]
    assert listed == list(COMMANDS)
    assert [c.rich_help_panel for c in app.registered_commands] == [
        panel for panel, names in PANELS.items() for _ in names
    ]
