"""The test settings of a server that checks often and tells soon, to who listens."""

import os

from tests.health.brisk import *  # noqa: F403
from tests.health.brisk import HEALTH

HEALTH = {
    **HEALTH,
    "SERVICES": ["database", "migrations", "cache", "locks"],
    "ALERTS": {
        "WEBHOOK_URL": os.environ["ALERT_WEBHOOK_URL"],
        "WEBHOOK_SECRET": "a secret that the receiver knows, too",
        "WAITS": {"ServiceCheckFailing": 0, "ServiceDegraded": 0},
        # Long enough for a busy database to answer: else a host takes it for lost.
        "GROUP_SECONDS": 3,
        "FLOOR_SECONDS": 0,
    },
}
