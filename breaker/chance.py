"""Chance that neither a program's own seed nor a fork makes the same in several processes."""

from random import SystemRandom

uniform = SystemRandom().uniform
