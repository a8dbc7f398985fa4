"""What is done to a batch under a lease: import, screen, identify, de-identify; deliver."""
