"""What one person asks for and another one confirms. Knows nothing of what is confirmed, and no page."""
