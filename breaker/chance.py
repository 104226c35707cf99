"""Chance that neither a program's own seed nor a fork makes the same in several processes."""

from random import SystemRandom

_system = SystemRandom()
uniform, random = _system.uniform, _system.random
