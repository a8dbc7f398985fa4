"""Rebuilds sendit's tables of facts from a newer edition of the DICOM Standard."""
