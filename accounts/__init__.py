"""Tokens bound to login sessions, so that ending a session kills them at once."""
