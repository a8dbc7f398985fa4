"""Rebuilds sendit's tables of facts of the DICOM Standard from newer editions; see docs/decisions/0009-the-profile.md."""
