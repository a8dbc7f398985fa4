"""Archives in Google Cloud Storage."""
