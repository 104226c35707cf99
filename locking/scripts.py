"""What the store runs: one atomic act each. Heads of ``lua/*.lua`` say what they take and tell."""

from dataclasses import dataclass
from hashlib import sha1
from importlib.resources import files

# The last letter of a holder key tells how many may hold at once: one, or several.
SINGLE, SHARED = "l", "h"


# There is one of each, told apart by identity.
@dataclass(frozen=True, slots=True, eq=False)
class Script:
    name: str
    source: str
    sha: str


def _load(*parts: str) -> Script:
    """The script of the last part; those before it are its preludes."""
    folder = files(__package__).joinpath("lua")
    source = "\n".join(folder.joinpath(f"{part}.lua").read_text("utf-8") for part in parts)
    # EVALSHA names a script by this digest; nothing depends on its strength.
    return Script(parts[-1], source, sha1(source.encode(), usedforsecurity=False).hexdigest())


ACQUIRE = _load("free", "line", "handoff", "acquire")
EXTEND = _load("extend")
RELEASE = _load("unwanted", "line", "handoff", "release")
ABANDON = _load("line", "handoff", "abandon")
INSPECT = _load("inspect")
HELD = _load("held")
NOTE = _load("note")
EPOCH = _load("epoch")
LIFT = _load("lift")
FORCE = _load("line", "handoff", "force")
HOLDERS = _load("line", "holders")
WAIT_FOR = _load("waitfor")


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """What may be done to locks of a kind; each script takes the same of every kind.

    Those that grant take the weight and the capacity of a share besides.
    """

    acquire: Script
    guarded: Script
    extend: Script
    release: Script
    abandon: Script
    force: Script
    holders: Script


def _shared(name: str) -> Script:
    return _load("line", "shared", f"shared_{name}")


SHARED_INSPECT = _load("shared_inspect")
PROTOCOLS = {
    SINGLE: Protocol(
        acquire=ACQUIRE,
        guarded=_load("guard", "free", "line", "handoff", "acquire"),
        extend=EXTEND,
        release=RELEASE,
        abandon=ABANDON,
        force=FORCE,
        holders=HOLDERS,
    ),
    SHARED: Protocol(
        acquire=_shared("acquire"),
        guarded=_load("guard", "line", "shared", "shared_acquire"),
        extend=_shared("extend"),
        release=_shared("release"),
        abandon=_shared("abandon"),
        force=_shared("force"),
        holders=_shared("holders"),
    ),
}


def protocol(keys: tuple[str, ...]) -> Protocol:
    """How to deal with the lock whose keys these are."""
    return PROTOCOLS[keys[0][-1]]
