"""The WSGI application, with what watches its process."""

from config.application import application
from config.logs import report_all
from health import checker, draining

__all__ = ["application"]

report_all()
checker.start()
draining.install()
