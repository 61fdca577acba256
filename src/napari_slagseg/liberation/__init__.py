"""liberation room."""
