"""The WSGI application: address, headers and health around Django."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django_application = get_wsgi_application()

from django.urls import get_resolver  # noqa: E402

from config.addresses import ClientAddress  # noqa: E402
from config.headers import SecurityHeaders  # noqa: E402
from config.leftovers import Leftovers  # noqa: E402
from config.logs import report_threads  # noqa: E402
from config.requests import Requests  # noqa: E402
from health import checker, draining  # noqa: E402
from health.responder import HealthResponder  # noqa: E402

inside = Leftovers(ClientAddress(HealthResponder(django_application)))
application = Requests(SecurityHeaders(inside))
report_threads()
# The first request must not pay for importing every view and the Google SDK.
get_resolver().url_patterns  # noqa: B018
checker.start()
draining.install()
