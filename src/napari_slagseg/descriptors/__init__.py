"""descriptors room."""
