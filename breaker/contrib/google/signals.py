"""For observers, told where the call ends: receivers must be quick."""

from django.dispatch import Signal

call_ended = Signal()
"""circuit, outcome: a ``breaker.classify.Outcome``, seconds for which Google was waited for"""
