"""workflow room."""
