"""The time a guarded call takes: one that works, one that is refused, one that fails."""

from collections.abc import Callable, Sequence
from statistics import median

from .arena import workers
from .breakers import CIRCUITBREAKER, LIBRARIES, PEERS, Colour
from .contenders import OURS
from .rounds import interleave, ratio
from .rows import Budget, Row
from .scenes import Act, Scene, Timed, bare, calls, trips

BARE, TRIP = "bare", "one GET"
GUARDED, REFUSED = Budget("≤", 1.0), Budget("≤", 3.0)
# Calls that tell how many fit into a trial.
PROBE = 20

Trial = Callable[[], float]
# Seconds per call in each round.
Costs = dict[Act, list[float]]


def measure(
    rival: str = CIRCUITBREAKER,
    peers: Sequence[str] = PEERS,
    *,
    rounds: int = 200,
    seconds: float = 0.002,
) -> list[Row]:
    """``seconds``: of the calls that are timed at one go."""
    rows = []
    for colour in Colour:
        libraries = [OURS, *(peer for peer in peers if peer in LIBRARIES[colour])]
        with workers(1) as [worker]:
            costs = worker.submit(_costs, colour, libraries, rounds, seconds).result()
        rows += _rows(colour, costs, rival)
    return rows


def _costs(colour: Colour, libraries: Sequence[str], rounds: int, seconds: float) -> Costs:
    acts = [Act(colour, library, scene) for library in libraries for scene in Scene]
    contenders: dict[Act, Timed] = {
        Act(colour, BARE, Scene.CLOSED): bare(colour),
        Act(colour, TRIP, Scene.FAILING): trips(colour),
        **{act: calls(act) for act in acts},
    }
    trials = {act: _trial(timed, seconds) for act, timed in contenders.items()}
    return interleave(trials, rounds=rounds)


def _trial(timed: Timed, seconds: float) -> Trial:
    timed(PROBE)
    number = max(PROBE // 4, int(seconds * PROBE / timed(PROBE)))

    def seconds_per_call() -> float:
        timed(1 + number // 10)
        return timed(number) / number

    return seconds_per_call


def _rows(colour: Colour, costs: Costs, rival: str) -> list[Row]:
    closed, refused, failing = (Act(colour, OURS, scene) for scene in Scene)
    return [
        _row("guarded", costs, closed, Act(colour, rival, Scene.CLOSED), GUARDED),
        _row("refused", costs, refused, closed, REFUSED),
        _row("failing", costs, failing, Act(colour, TRIP, Scene.FAILING), None),
    ]


def _row(kind: str, costs: Costs, ours: Act, theirs: Act, budget: Budget | None) -> Row:
    beside = "guarded call" if theirs.library == OURS else theirs.library
    return Row(
        what=f"{kind} call, {ours.colour} : {beside}",
        ours=1e6 * median(costs[ours]),
        unit="µs",
        peers={
            act.library: 1e6 * median(seconds)
            for act, seconds in costs.items()
            if act.scene is ours.scene and act != ours
        },
        ratio=ratio(costs[ours], costs[theirs]),
        budget=budget,
    )
