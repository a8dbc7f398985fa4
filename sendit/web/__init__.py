"""What is served over HTTP: whether this deployment is well, and its metrics. Reads; changes nothing."""
