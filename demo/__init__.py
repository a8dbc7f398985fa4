"""`make demo`: a dozen study folders through the whole job, by the real commands, explained."""
