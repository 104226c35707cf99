"""What the store runs: one atomic act each. Heads of ``lua/*.lua`` say what they take and tell."""

from dataclasses import dataclass
from hashlib import sha1
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class Script:
    name: str
    source: str
    sha: str


def _load(name: str) -> Script:
    source = files(__package__).joinpath("lua", f"{name}.lua").read_text("utf-8")
    # EVALSHA names a script by this digest; nothing depends on its strength.
    return Script(name, source, sha1(source.encode(), usedforsecurity=False).hexdigest())


ACQUIRE = _load("acquire")
EXTEND = _load("extend")
RELEASE = _load("release")
ABANDON = _load("abandon")
INSPECT = _load("inspect")
