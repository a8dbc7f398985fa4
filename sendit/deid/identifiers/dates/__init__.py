"""Dates in texts and headers: how they are written, in which calendar and language, and which day they mean."""
