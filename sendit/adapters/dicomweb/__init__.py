"""Images to a PACS by DICOMweb (STOW-RS)."""
