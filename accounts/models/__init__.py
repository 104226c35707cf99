from .sessions import LoginSession, Refresh, UserEpoch, new_session_id

__all__ = ["LoginSession", "Refresh", "UserEpoch", "new_session_id"]
