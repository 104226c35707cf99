import threading

import pytest

from breaker import PolicyError
from breaker.budget import NAMES, RetryBudget, shared_budget


def spent(budget: RetryBudget) -> int:
    """How many retries it paid for until it was empty."""
    retries = 0
    while budget.spend(budget.price):
        retries += 1
    return retries


def test_it_pays_for_a_burst_and_then_for_nothing() -> None:
    assert spent(RetryBudget(burst=7)) == 7


def test_a_retry_is_earned_by_so_many_calls_that_went_well() -> None:
    budget = RetryBudget(burst=1, share=0.25)
    assert spent(budget) == 1
    for _ in range(3):
        budget.earn()
    assert not budget.spend(budget.price)
    budget.earn()
    assert spent(budget) == 1


@pytest.mark.parametrize("share", [0.01, 0.15, 0.2, 0.3, 0.4, 0.6, 0.67, 0.7, 0.9, 1])
def test_the_share_is_kept(share: float) -> None:
    budget = RetryBudget(burst=1_000, share=share)
    spent(budget)
    for _ in range(1_000):
        budget.earn()
    assert spent(budget) == pytest.approx(1_000 * share, abs=1)


def test_what_it_cannot_pay_in_full_costs_nothing() -> None:
    budget = RetryBudget(burst=1)
    assert not budget.spend(budget.price + 1)
    assert budget.tokens == budget.price


def test_it_holds_no_more_than_its_burst() -> None:
    budget = RetryBudget(burst=3)
    budget.earn(1_000)
    assert spent(budget) == 3


def test_a_retry_that_saved_the_call_is_free() -> None:
    budget = RetryBudget(burst=1)
    for _ in range(10):
        assert budget.spend(budget.timeout_price)
        budget.earn(budget.timeout_price)


def test_a_time_out_costs_twice_as_much_where_there_is_as_much() -> None:
    assert RetryBudget().timeout_price == 2 * RetryBudget().price
    assert RetryBudget(burst=1).timeout_price == RetryBudget(burst=1).price


def test_threads_spend_no_more_than_there_is() -> None:
    budget = RetryBudget(burst=1_000)
    retries = []
    threads = [threading.Thread(target=lambda: retries.append(spent(budget))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(retries) <= 1_000
    assert sum(retries) + budget.tokens // budget.price == 1_000


def test_a_name_has_one_budget_and_names_are_bounded() -> None:
    assert shared_budget("one") is shared_budget("one")
    assert shared_budget("one") is not shared_budget("two")
    for number in range(2 * NAMES):
        shared_budget(f"n{number}")
    assert shared_budget.cache_info().currsize == NAMES


@pytest.mark.parametrize(
    "options",
    [{"burst": 0}, {"burst": 1.5}, {"burst": True}, {"burst": 10**9}, {"share": 0}, {"share": 2}],
    ids=str,
)
def test_numbers_that_make_no_sense_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(PolicyError):
        RetryBudget(**options)
