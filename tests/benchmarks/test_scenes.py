import pytest

from benchmarks.breakers import Colour
from benchmarks.contenders import OURS
from benchmarks.scenes import Act, Outage, Scene, afail, awork, calls, ending, fail, passing, work
from benchmarks.store import client, commands
from breaker import State, get_breaker


@pytest.mark.parametrize("colour", Colour)
def test_calls_that_ought_to_be_refused_and_are_not_spoil_the_measurement(colour: Colour) -> None:
    call = work if colour is Colour.SYNC else awork
    with pytest.raises(AssertionError):
        ending(colour, call, Outage)(1)


@pytest.mark.parametrize("colour", Colour)
def test_an_error_that_nobody_expects_spoils_the_measurement(colour: Colour) -> None:
    call = fail if colour is Colour.SYNC else afail
    with pytest.raises(Outage):
        passing(colour, call)(1)
    with pytest.raises(Outage):
        ending(colour, call, KeyError)(1)


@pytest.mark.parametrize("colour", Colour)
@pytest.mark.parametrize(
    ("scene", "state"),
    [
        (Scene.CLOSED, State.CLOSED),
        (Scene.OPEN, State.OPEN),
        (Scene.FAILING, State.CLOSED),
    ],
)
def test_a_scene_finds_our_circuit_as_it_says(colour: Colour, scene: Scene, state: State) -> None:
    act = Act(colour, OURS, scene)
    calls(act)(20)
    assert get_breaker(act.circuit).state is state


def test_the_store_counts_what_others_say_but_not_that_it_is_asked() -> None:
    before = commands()
    client().get("x")
    client().eval("return redis.call('GET', KEYS[1])", 1, "x")
    assert commands() - before == 3
