"""What guarded calls say to the store, at once or by others on their behalf."""

import time
from collections.abc import Sequence

from breaker.control import circuits

from .arena import Worker, workers
from .breakers import LIBRARIES, SHARED, Colour
from .contenders import OURS
from .rows import Budget, Row
from .scenes import Act, Scene, calls
from .store import commands

# None per call: the agent speaks up to ten times a second, for however many.
QUIET = Budget("≤", 0.01)
ALL = Budget("≥", 1.0)
WHAT = {
    Scene.CLOSED: ("guarded call", QUIET),
    Scene.OPEN: ("refused call", QUIET),
    Scene.FAILING: ("failing call", None),
}
BATCH = 20


def measure(
    peers: Sequence[str] = SHARED, *, seconds: float = 0.5, pause: float = 1.2
) -> list[Row]:
    """``pause``: seconds until an agent that was idle has told of all calls."""
    rows = []
    for colour in Colour:
        libraries = [OURS, *(peer for peer in peers if peer in LIBRARIES[colour])]
        per_call = {library: _commands(colour, library, seconds, pause) for library in libraries}
        rows += [_row(colour, scene, per_call) for scene in Scene]
        rows.append(_known(colour, seconds, pause))
    return rows


def _row(colour: Colour, scene: Scene, per_call: dict[str, dict[Scene, float]]) -> Row:
    what, budget = WHAT[scene]
    found = {library: counts[scene] for library, counts in per_call.items()}
    return Row(
        what=f"Redis commands per {what}, {colour}",
        ours=found.pop(OURS),
        peers=found,
        budget=budget,
    )


def _commands(colour: Colour, library: str, seconds: float, pause: float) -> dict[Scene, float]:
    acts = [Act(colour, library, scene) for scene in Scene]
    # A process at a time, so that no other's are counted.
    with workers(1) as [worker]:
        for act in acts:
            worker.submit(_burst, act, 0).result()
        time.sleep(pause)
        return {act.scene: _per_call(worker, act, seconds, pause) for act in acts}


def _per_call(worker: Worker, act: Act, seconds: float, pause: float) -> float:
    before = commands()
    number = worker.submit(_burst, act, seconds).result()
    time.sleep(pause)
    return (commands() - before) / number


def _known(colour: Colour, seconds: float, pause: float) -> Row:
    """Silence is worth nothing if the store never hears of the calls."""
    act = Act(colour, OURS, Scene.CLOSED)
    with workers(1) as [worker]:
        number = worker.submit(_burst, act, seconds).result()
        time.sleep(pause)
        known = worker.submit(_calls_known, act).result()
    return Row(what=f"guarded calls known to the store, {colour}", ours=known / number, budget=ALL)


def _burst(act: Act, seconds: float) -> int:
    """The number of calls made in that time."""
    timed = calls(act)
    number, end = 0, time.monotonic() + seconds
    while number == 0 or time.monotonic() < end:
        timed(BATCH)
        number += BATCH
    return number


def _calls_known(act: Act) -> int:
    shared = (each for each in circuits() if each.source == "shared")
    return sum(each.calls for each in shared if each.name == act.circuit)
