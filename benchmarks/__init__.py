"""What locks, breakers and sign-ins cost, beside raw commands and other libraries, in one run."""
