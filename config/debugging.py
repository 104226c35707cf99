"""What the pages of DEBUG show of the settings: not what Django could not know to be a secret."""

import re

from django.views.debug import SafeExceptionReporterFilter


class Cleanser(SafeExceptionReporterFilter):
    hidden_settings = re.compile(
        f"{SafeExceptionReporterFilter.hidden_settings.pattern}|PEPPER|LOCATION|URL", re.IGNORECASE
    )
