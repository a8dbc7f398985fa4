"""Health checks and metrics over HTTP. They only read."""
