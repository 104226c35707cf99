"""The words of a call."""

from locking import calls, scripts
from locking.names import keys
from locking.steps import Run


def test_only_what_is_short_is_kept_for_the_next_call():
    calls._head.cache_clear()
    runs = [Run(scripts.EXTEND, keys("lock", f"n{number}"), ("token", 1)) for number in range(3)]
    whole = [calls.packed(run, whole=True) for run in runs]
    assert all(b"EVAL\r\n" in words and scripts.EXTEND.source.encode() in words for words in whole)
    assert calls._head.cache_info().currsize == 0
    named = [calls.packed(run, whole=False) for run in runs]
    assert all(b"EVALSHA\r\n" in words and scripts.EXTEND.sha.encode() in words for words in named)
    assert calls._head.cache_info().currsize == 3
