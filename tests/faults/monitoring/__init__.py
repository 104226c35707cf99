"""What Prometheus and Alertmanager tell when something breaks that the product needs.

``python -m tests.faults.monitoring`` takes away Redis, the database and Google, one after the
other, from a product that the shipped rules watch, and gives them back. Each alert that should
come has to come once, and its end once.
"""
