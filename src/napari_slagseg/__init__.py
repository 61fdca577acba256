"""Correlative X-ray CT and SEM-EDS: particles, minerals and liberation in 3D."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("napari-slagseg")
except PackageNotFoundError:  # run from a source tree that was never installed
    __version__ = "0.0.0"

__all__ = ["__version__"]
