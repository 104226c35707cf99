"""What a probe is, and those that every project has."""

from .cache import Cache
from .database import Database
from .disk import Disk
from .migrations import Migrations
from .probe import Probe

__all__ = ["Cache", "Database", "Disk", "Migrations", "Probe"]
