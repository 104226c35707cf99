"""The WSGI application: address, headers and health around Django."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django_application = get_wsgi_application()

from config.addresses import ClientAddress  # noqa: E402
from config.headers import SecurityHeaders  # noqa: E402
from health import checker  # noqa: E402
from health.responder import HealthResponder  # noqa: E402

application = ClientAddress(SecurityHeaders(HealthResponder(django_application)))
checker.start()
