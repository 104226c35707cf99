"""What ``manage.py accounts`` can do: one module per subject, each with ``add`` for its verbs."""
