"""For observers. Receivers get the user or the session, never a token or a password."""

from django.dispatch import Signal

login_succeeded = Signal()
"""session"""

login_failed = Signal()
"""username: as given, so do not log it unhashed; it may be a password typed in the wrong field"""

login_refused = Signal()
"""code: account_locked or rate_limited. No password was looked at"""

account_locked = Signal()
"""guard_id, user_id (None for a name that is no user's), level, until; once for each lock"""

account_unlocked = Signal()
"""guard_id, user_id, actor, reason"""

session_revoked = Signal()
"""session_id, reason"""

refresh_answered = Signal()
"""session_id, outcome: renewed, overlap, reused, ended"""

refresh_reuse_detected = Signal()
"""session_id"""

signing_key_issued = Signal()
"""key, replaces: the key it was rotated from, or None"""

signing_key_revoked = Signal()
"""keyid"""

signature_accepted = Signal()
"""keyid"""

signature_rejected = Signal()
"""keyid: as given, printable ASCII or empty; cause: why, in words"""
