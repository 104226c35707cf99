import pytest

from health.verdict import Reason, Standing, Status, aggregate, http_code, worst

PASS, WARN, FAIL, UNKNOWN = Status


def critical(status: Status) -> Standing:
    return Standing(status, None, critical=True)


def extra(status: Status, reason: Reason | None = None) -> Standing:
    return Standing(status, reason, critical=False)


@pytest.mark.parametrize(
    ("standings", "overall"),
    [
        ([], PASS),
        ([critical(PASS), extra(PASS)], PASS),
        ([critical(FAIL), extra(PASS)], FAIL),
        ([critical(UNKNOWN), extra(PASS)], FAIL),
        ([critical(WARN), extra(PASS)], WARN),
        ([critical(PASS), extra(FAIL)], WARN),
        ([critical(PASS), extra(WARN)], WARN),
        ([critical(PASS), extra(UNKNOWN)], WARN),
        ([critical(PASS), extra(UNKNOWN, Reason.NOT_CONFIGURED)], PASS),
        ([Standing(UNKNOWN, Reason.NOT_CONFIGURED, critical=True)], PASS),
        ([critical(FAIL), extra(FAIL)], FAIL),
    ],
)
def test_many_checks_become_one_word(standings: list[Standing], overall: Status) -> None:
    assert aggregate(standings) is overall


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [([], UNKNOWN), ([PASS], PASS), ([PASS, WARN], WARN), ([WARN, FAIL, PASS], FAIL)],
)
def test_a_service_is_as_good_as_its_worst_component(
    statuses: list[Status], expected: Status
) -> None:
    assert worst(statuses) is expected


@pytest.mark.parametrize(
    ("status", "code"), [(PASS, 200), (WARN, 200), (UNKNOWN, 200), (FAIL, 503)]
)
def test_only_failure_takes_a_node_out(status: Status, code: int) -> None:
    assert http_code(status) == code
