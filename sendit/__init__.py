"""sendit: folders of DICOM studies in, pseudonymized and verified archives with searchable metadata out."""
