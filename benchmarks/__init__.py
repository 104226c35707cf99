"""What locks and breakers cost, beside raw commands and other libraries, in one run."""
