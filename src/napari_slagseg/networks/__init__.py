"""networks room."""
