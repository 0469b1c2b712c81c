"""A plan that a test lets grow."""

from types import SimpleNamespace


class Listing:
    """Stands in for `Plan`: files to compute, of which more may come."""

    def __init__(self, files, *, goes_on=False):
        self.files, self.goes_on = list(files), goes_on

    def __len__(self):
        return len(self.files)

    def __iter__(self):
        at = 0
        while at < len(self.files) or self.goes_on:
            assert at < len(self.files), "waits"
            yield SimpleNamespace(file=self.files[at])
            at += 1

    def is_listing(self, seconds):
        return self.goes_on
