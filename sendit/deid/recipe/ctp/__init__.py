"""Scripts of the RSNA's Clinical Trial Processor, read as recipes."""
