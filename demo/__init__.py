"""`make demo` runs the whole job on a dozen study folders with the real commands, and explains each step."""
