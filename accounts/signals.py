"""For observers. Receivers get the user or the session, never a token or a password."""

from django.dispatch import Signal

login_succeeded = Signal()
"""session"""

login_failed = Signal()
"""username: as given, so do not log it unhashed; it may be a password typed in the wrong field"""

session_revoked = Signal()
"""session_id, reason"""

refresh_reuse_detected = Signal()
"""session_id"""
