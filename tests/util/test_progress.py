from penult.util.progress import Counts


def test_counts_add_up_and_measure_time(monkeypatch):
    monkeypatch.setattr("penult.util.progress.monotonic", lambda: 12.0)
    counts = Counts(listed=6, failed_before=1, skipped=2, started=10.0)
    counts.count(ok=True)
    counts.count(ok=True)
    counts.count(ok=False)
    assert (counts.ok, counts.failed, counts.done) == (2, 1, 6)
    assert (counts.seconds, counts.rate) == (2.0, 1.5)
