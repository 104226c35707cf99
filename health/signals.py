"""What the engine tells observers; the sender is the class ``Scheduler``.

Receivers run in the scheduler thread, so they must put aside what they heard and return: one that
waits holds up every check of the host. What they raise is logged and changes nothing.
"""

from django.dispatch import Signal

# check: as it is shown now; before: the Status it was shown with
status_changed = Signal()
# leading: whether this process probes for its host from now on
leadership_changed = Signal()
# payload: what a webhook gets, of one or several alerts; sent by the class ``Custom`` in a thread
# of alerting's own, where receivers may take their time
alerts_notified = Signal()
