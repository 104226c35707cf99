"""What the locks cost, beside the raw commands and other libraries, in one run on one machine."""
