"""The bill of materials of a wheel: what comes with it, in which version, under which licence."""
