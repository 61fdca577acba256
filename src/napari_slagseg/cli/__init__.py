"""The steps from a terminal."""

from napari_slagseg.cli.entry import main

__all__ = ["main"]
