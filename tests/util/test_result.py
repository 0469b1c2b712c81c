"""Results as prompts and notebooks show them."""

from dataclasses import dataclass

from penult.util.result import Result


@dataclass(frozen=True, slots=True, repr=False)
class Found(Result):
    names: tuple[str, ...]

    def _summary(self):
        return f"{len(self.names)} names, first {self.names[0]}"

    def _rows(self):
        return ("name", "score"), ((name, 0.5) for name in self.names)


def test_a_repr_is_one_short_line():
    assert repr(Found(("a",))) == "<Found: 1 names, first a>"
    assert len(repr(Found(("long\n" * 1000,)))) < 250
    assert "\n" not in repr(Found(("a\nb",)))


def test_a_notebook_shows_a_table_of_bounded_length():
    page = Found(tuple(map(str, range(1000))))._repr_html_()
    assert page.count("<tr>") == 21
    assert "<td><bdi>0.500</bdi></td>" in page
    assert page.endswith("<p>…</p>")


def test_names_are_no_markup():
    page = Found(("<script>",))._repr_html_()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
