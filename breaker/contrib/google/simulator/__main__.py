"""What ``manage.py up`` starts: Django would take longer to load than the simulator."""

import sys

from .standing import stand

if __name__ == "__main__":
    stand(int(sys.argv[1]), operation_seconds=2.0, say=lambda address: None)
