"""Correcting particles and phases in the viewer."""
