"""What the store runs: one atomic act each. Heads of ``lua/*.lua`` say what they take and tell."""

from dataclasses import dataclass
from hashlib import sha1
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class Script:
    name: str
    source: str
    sha: str


def _load(*names: str) -> Script:
    """The script of the last name; those before it are its preludes."""
    folder = files(__package__).joinpath("lua")
    source = "\n".join(folder.joinpath(f"{name}.lua").read_text("utf-8") for name in names)
    # EVALSHA names a script by this digest; nothing depends on its strength.
    return Script(names[-1], source, sha1(source.encode(), usedforsecurity=False).hexdigest())


ACQUIRE = _load("line", "handoff", "acquire")
EXTEND = _load("extend")
RELEASE = _load("line", "handoff", "release")
ABANDON = _load("line", "handoff", "abandon")
INSPECT = _load("inspect")
HELD = _load("held")
FORCE = _load("line", "handoff", "force")
HOLDERS = _load("holders")
WAIT_FOR = _load("waitfor")
