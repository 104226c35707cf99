"""Processes that fight over locks while everything around them fails, and a check of their history.

``python -m tests.faults`` runs it; ``checker`` decides what was wrong.
"""
