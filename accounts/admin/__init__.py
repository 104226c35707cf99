from .sessions import LoginSessionAdmin

__all__ = ["LoginSessionAdmin"]
