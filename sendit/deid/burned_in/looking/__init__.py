"""Looking for text in decoded frames. Only the detector's process imports this room."""
