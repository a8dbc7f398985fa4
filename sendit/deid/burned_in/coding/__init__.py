"""Frames by transfer syntax: decoded, encoded again, and blanked without being decoded."""
