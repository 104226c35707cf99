"""For the programs that call the API. Nothing here needs Django::

    with TokenSession("https://mainstay.example") as session:
        session.sign_in("ada", password)
        session.get("/api/v1/auth/me").json()

docs/accounts.md tells the rest.
"""

from .errors import ClientError, ServerUnavailable, SessionEnded, SignInRefused, SignInRequired
from .files import FileStorage
from .sessions import AsyncTokenSession, TokenSession
from .signer import Signer
from .storage import MemoryStorage, Storage

__all__ = [
    "AsyncTokenSession",
    "ClientError",
    "FileStorage",
    "MemoryStorage",
    "ServerUnavailable",
    "SessionEnded",
    "SignInRefused",
    "SignInRequired",
    "Signer",
    "Storage",
    "TokenSession",
]
