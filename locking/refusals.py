"""Why a server refuses: the code words of its errors, and what they mean in words of our own.

The rest of what it says may hold names, tokens and scripts, and is not for clients.
"""

import re

REASONS = {
    "WRONGTYPE": "a key of the lock holds something else",
    "OOM": "it is full",
    "READONLY": "it is a read-only replica",
    "NOREPLICAS": "it has too few replicas",
    "NOPERM": "its user may not do this",
    "WRONGPASS": "it wants another user or password",
    "NOAUTH": "it wants a password",
    "MISCONF": "it cannot write to its disk",
    "BUSY": "it is busy with a script",
    "LOADING": "it is loading its data",
    "MASTERDOWN": "it has lost its primary",
    "CLUSTERDOWN": "its cluster is down",
    "MAXCLIENTS": "it has as many clients as it takes",
    "GIVENUP": "the token was given up before",
    "ERR": "its log or the cause of this error may say why",
}
# What is said with a general word only.
_PHRASES = {"ACL failure in script": "NOPERM", "max number of clients": "MAXCLIENTS"}
# Some servers put the word of a call within a script behind one for the script.
_WORD = re.compile(rf"\b(?:{'|'.join(REASONS.keys() - {'ERR'})})\b|{'|'.join(_PHRASES)}")


def word(said: str) -> str:
    found = _WORD.search(said)
    return _PHRASES.get(found[0], found[0]) if found else "ERR"
