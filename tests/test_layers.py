"""Imports point in one direction: there are no circles, however late or for types only."""

from graphlib import CycleError, TopologicalSorter

import grimp
import pytest


@pytest.fixture(scope="module")
def imports():
    """The modules that each imports, at the top, in a function, or for type checkers."""
    graph = grimp.build_graph("penult", exclude_type_checking_imports=False, cache_dir=None)
    return {name: graph.find_modules_directly_imported_by(name) for name in graph.modules}


def test_no_module_imports_itself_by_way_of_others(imports):
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        pytest.fail(" <- ".join(error.args[1]))


def test_no_package_imports_itself_by_way_of_others(imports):
    packages = {}
    for name, imported in imports.items():
        others = packages.setdefault(_package(name), set())
        others |= {_package(each) for each in imported} - {_package(name)}
    try:
        TopologicalSorter(packages).prepare()
    except CycleError as error:
        pytest.fail(" <- ".join(error.args[1]))


def test_late_imports_and_those_for_types_are_counted(imports):
    assert "penult.analysis.neighbours" in imports["penult.table.features"]  # for types only
    assert "penult.viewer.sheet" in imports["penult.cli.outputs"]  # in a function


def _package(name):
    """`penult.store` of `penult.store.reader`, and so of each other."""
    return ".".join(name.split(".")[:2])
