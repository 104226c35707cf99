"""Address, headers and health around Django, and all that its first requests need.

To import it starts nothing, so that a server may do so before it makes its workers.
"""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django_application = get_wsgi_application()

from django.conf import settings  # noqa: E402
from django.urls import get_resolver  # noqa: E402

from breaker.contrib.google import imagen, veo, vertex  # noqa: E402, F401
from config.addresses import ClientAddress  # noqa: E402
from config.headers import SecurityHeaders  # noqa: E402
from config.incoming import IncomingBodies  # noqa: E402
from config.leftovers import Leftovers  # noqa: E402
from config.requests import Requests  # noqa: E402
from health.responder import HealthResponder  # noqa: E402

inside = IncomingBodies(
    Leftovers(ClientAddress(HealthResponder(django_application))), threads=settings.THREADS
)
application = Requests(SecurityHeaders(inside))
# The first request must not pay for importing every view.
get_resolver().url_patterns  # noqa: B018
