import logging

from locking import signals
from locking.locks import Lock


def test_a_receiver_hears_the_facts():
    facts = []

    def receive(**given):
        facts.append(given)

    signals.lock_lost.connect(receive)
    signals.tell(signals.lock_lost, Lock, lease="it")
    signals.lock_lost.disconnect(receive)
    signals.tell(signals.lock_lost, Lock, lease="nobody")
    assert [(fact["sender"], fact["lease"]) for fact in facts] == [(Lock, "it")]


def test_what_a_receiver_raises_is_logged_and_goes_no_further(caplog):
    def receive(**given):
        raise RuntimeError("observer broke")

    signals.lock_forced.connect(receive)
    with caplog.at_level(logging.ERROR):
        signals.tell(signals.lock_forced, Lock, name="a", fence=1, actor="b", reason="c")
    signals.lock_forced.disconnect(receive)
    assert "observer broke" in caplog.text
