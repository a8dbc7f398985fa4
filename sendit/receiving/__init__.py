"""DICOM in: associations, storage commitment, pulls. It makes study folders, and knows nothing of what takes them."""
