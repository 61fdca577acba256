"""phantom room."""
