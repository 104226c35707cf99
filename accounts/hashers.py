from django.contrib.auth.hashers import Argon2PasswordHasher


class TunedArgon2(Argon2PasswordHasher):
    """Argon2id as OWASP advises: 46 MiB and one lane a check.

    Django's default takes 100 MiB and eight lanes, which 32 threads turn into 3 GB.
    """

    memory_cost = 47_104
    time_cost = 1
    parallelism = 1
