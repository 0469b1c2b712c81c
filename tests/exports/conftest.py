"""Tables as the tests of the store have them."""

from ..store.conftest import begin, layers, make_failure, make_row, provenance

__all__ = ["begin", "layers", "make_failure", "make_row", "provenance"]
