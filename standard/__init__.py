"""Rebuilds sendit's tables of facts of the DICOM Standard when a newer edition of it is out."""
