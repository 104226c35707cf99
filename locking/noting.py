"""What the index of held locks, which in a cluster has a node of its own, should be told.

At best effort: a note that gets lost is made again when the lease is renewed, or outdated when it
would have ended.
"""

from typing import Any

from . import scripts
from .routing import slot
from .steps import Run


def note(run: Run, reply: Any) -> Run | None:
    """The script that brings the index up to date after this one."""
    holder, index = run.keys[0], run.keys[-1]
    if slot(holder) == slot(index):
        return None
    match run.script.name, reply:
        case ("acquire" | "shared_acquire", int()) | ("extend" | "shared_extend", 1):
            return Run(scripts.NOTE, (index,), (holder, run.args[1]))
        # Of a share that ends nobody tells whether there are others; the note of the last runs out.
        case ("release", 1 | 5) | ("force", [1, *_]):
            return Run(scripts.NOTE, (index,), (holder, 0))
    return None
