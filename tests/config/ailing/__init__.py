"""An app of somebody else's, whose doctor does what a test wants."""
