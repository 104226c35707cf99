import pytest

from health.engine.leadership import FRESH_SECONDS, Source, source


@pytest.mark.parametrize(
    ("leads", "silence", "expected"),
    [
        pytest.param(True, 0, Source.LEADER, id="who leads probes"),
        pytest.param(True, 99, Source.LEADER, id="and needs nobody's news"),
        pytest.param(False, 0, Source.HOST, id="the others believe"),
        pytest.param(False, FRESH_SECONDS, Source.HOST, id="for three beats"),
        pytest.param(False, FRESH_SECONDS + 0.01, Source.SELF, id="and then look themselves"),
    ],
)
def test_whom_a_process_believes(leads: bool, silence: float, expected: Source) -> None:
    assert source(leads=leads, silence=silence) is expected
