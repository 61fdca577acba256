"""Grey images of a cut, such as BSE."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from napari_slagseg.data import GreyMap, SlagsegError
from napari_slagseg.io.maps import load_image, pixel_size_of, read_mask


def read_grey_map(
    path: str | Path,
    pixel_size_um: float | None = None,
    *,
    name: str | None = None,
    mask: str | Path | None = None,
) -> GreyMap:
    """Read a grey image that is to be placed without phases.

    Parameters
    ----------
    path : path
        PNG, TIFF, BMP, JPEG, NPY or an array of a Zarr store, of any number type; an
        image in colour is taken if its channels are equal.
    pixel_size_um : float or None
        None takes it from the file's metadata.
    name : str or None
        None takes the file's stem.
    mask : path or None
        Image of the same size, zero where the image shows something else than the cut.

    Raises
    ------
    SlagsegError
        If the file is unreadable, in colour, or no pixel size is known.
    """
    path = Path(path)
    stored = load_image(path)
    size = pixel_size_of(path, pixel_size_um, stored)
    image = stored.data
    if image.ndim == 3 and image.shape[-1] in (3, 4):
        if np.any(image[..., 0] != image[..., 1]) or np.any(image[..., 0] != image[..., 2]):
            raise SlagsegError(
                f"{path} is in colour; an image that is placed by its grey values has none. If it "
                "is a mineral map, give its legend instead."
            )
        image = image[..., 0]
    if image.ndim != 2 or image.dtype.kind not in "biuf":
        raise SlagsegError(
            f"{path} has the shape {image.shape} and type {image.dtype}; a grey image is one plane "
            "of numbers."
        )
    grey = np.array(image, dtype=np.float32)
    if mask is not None:
        grey[~read_mask(Path(mask), grey.shape, path)] = np.nan
    return GreyMap(grey, size, name or path.stem, str(path))


__all__ = ["read_grey_map"]
