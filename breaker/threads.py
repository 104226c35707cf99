"""Background threads that a process may have to do without."""

import logging
import sys
import threading
from collections.abc import Callable

logger = logging.getLogger(__name__)


def started(run: Callable[[], object], name: str) -> threading.Thread | None:
    """A running daemon thread; None where none can start, as while the interpreter ends.

    The callers run inside guarded calls, whose own result must not be lost over this.
    """
    if sys.is_finalizing():
        return None  # it would be waited for, and never run
    thread = threading.Thread(target=run, name=name, daemon=True)
    try:
        thread.start()
    except RuntimeError as error:
        logger.warning("The thread %s did not start: %s", name, error)
        return None
    return thread
