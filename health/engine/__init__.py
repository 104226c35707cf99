"""How a process finds out: probes at work, one prober for each host, and what is known."""
