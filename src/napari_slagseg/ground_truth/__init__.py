"""ground truth room."""
