"""segmentation room."""
