"""How much of the text in drawn images is found and blanked, and what it costs: the table of docs/pixels.md."""
