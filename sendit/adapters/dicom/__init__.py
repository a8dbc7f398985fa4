"""Images to a PACS by C-STORE."""
