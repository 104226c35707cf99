"""From what a host's checks show to notices that people read, each of them once."""
