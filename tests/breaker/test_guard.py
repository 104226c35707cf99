import pytest

from breaker import CircuitOpenError, circuit_breaker, get_breaker


def test_five_failures_open_the_circuit_and_the_sixth_call_never_happens():
    calls = []

    @circuit_breaker("five")
    def call() -> None:
        calls.append(1)
        raise ValueError("out of order")

    for _ in range(5):
        with pytest.raises(ValueError, match="out of order"):
            call()
    with pytest.raises(CircuitOpenError) as refusal:
        call()
    assert len(calls) == 5
    assert refusal.value.last_failure == "ValueError: out of order"
    assert 59 < refusal.value.retry_after <= 60
    assert get_breaker("five").state == "open"
