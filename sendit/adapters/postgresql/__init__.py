"""A warehouse in PostgreSQL."""
