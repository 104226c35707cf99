"""The health of a real server under what it is for: its prober killed or stopped, a database that
hangs, minutes of load. ``python -m tests.faults.health`` plays all of it at full length.
"""
