"""Archives in a folder of this host, or of one that it mounts."""
