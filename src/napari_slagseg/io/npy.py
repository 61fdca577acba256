"""NumPy's own files, never unpickled."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from napari_slagseg.data import SlagsegError
from napari_slagseg.io.guards import READ_FAULTS, unreadable
from napari_slagseg.io.stored import StoredArray

PICKLE_SUFFIXES = (".npz", ".pkl", ".pickle", ".pt", ".pth", ".joblib")

_MAGIC = b"\x93NUMPY"


def read_npy(path: Path) -> StoredArray:
    """Map an NPY file into memory.

    Raises
    ------
    SlagsegError
        If it is a pickle or holds Python objects, or is damaged.
    """
    try:
        with path.open("rb") as file:
            magic = file.read(len(_MAGIC))
        if magic != _MAGIC:
            raise SlagsegError(
                f"{path} is not a NumPy array file. If it was made with pickle or torch, it can "
                "carry code and is never opened; save a plain array: np.save(name, array)."
            )
        data = np.load(path, mmap_mode="r", allow_pickle=False)
    except SlagsegError:
        raise
    except READ_FAULTS as error:
        # numpy tells object arrays apart by words only
        if "object" in str(error).lower() or "pickle" in str(error).lower():
            raise SlagsegError(
                f"{path} holds Python objects (a pickle). Such files can carry code and are "
                "never opened. Save a plain array of numbers: np.save(name, array)."
            ) from error
        raise unreadable(path, "NPY", error) from error
    return StoredArray(data, None, "an NPY file states none")


def pickle_refused(path: Path) -> SlagsegError:
    """Error for the suffixes under which pickles come."""
    return SlagsegError(
        f"{path} may hold Python objects (a pickle), which can carry code; such files are "
        "never opened. Save a plain array as .npy or TIFF."
    )


__all__ = ["PICKLE_SUFFIXES", "pickle_refused", "read_npy"]
