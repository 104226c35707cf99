"""A worker process of its own: posts one order from several threads, prints status codes.

python -m tests.google.poster USER KEY THREADS SECONDS
"""

import json
import sys
from concurrent.futures import ThreadPoolExecutor

import django
from django.conf import settings

django.setup()

from django.contrib.auth.models import User  # noqa: E402
from django.db import connection  # noqa: E402
from rest_framework.test import APIClient  # noqa: E402

BODY = {"service": "imagen", "prompt": "a lighthouse"}


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def post(user: User, key: str) -> int:
    client = APIClient()
    client.force_authenticate(user)
    try:
        response = client.post(
            "/api/v1/generations", BODY, format="json", headers={"Idempotency-Key": key}
        )
        return response.status_code
    finally:
        connection.close()


def main(username: str, key: str, threads: int, seconds: float) -> None:
    settings.GOOGLE_AI = {**settings.GOOGLE_AI, "IMAGEN_SECONDS": seconds}
    settings.LOCKING = {**settings.LOCKING, "LEASE": 1}
    user = User.objects.get(username=username)
    connection.close()
    say("ready")
    sys.stdin.readline()
    with ThreadPoolExecutor(threads) as pool:
        codes = list(pool.map(lambda _: post(user, key), range(threads)))
    say(json.dumps(codes))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))
