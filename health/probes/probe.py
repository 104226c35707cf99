from abc import ABC, abstractmethod

from health.verdict import CheckResult


class Probe(ABC):
    """One question to one dependency. ``run`` may raise: that is a failure with its reason.

    ``interval`` and ``deadline`` are seconds. A run gets a thread of its own and is given up,
    not stopped, at its deadline; so set the client's own timeouts below it.
    """

    name: str
    component: str = "default"
    kind: str = "component"
    source: str = "active"
    critical: bool = False
    interval: float = 5.0
    deadline: float = 1.0

    @abstractmethod
    def run(self) -> CheckResult: ...
