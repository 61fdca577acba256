"""IMA-CNMNC symbols of common minerals."""

from __future__ import annotations

import csv
import unicodedata
from functools import lru_cache
from importlib import resources

_OTHER_NAMES = {
    "alkali feldspar": "k-feldspar",
    "baryte": "barite",
    "celestite": "celestine",
    "haematite": "hematite",
    "kfeldspar": "k-feldspar",
    "olivene": "olivine",
    "potassium feldspar": "k-feldspar",
    "sphene": "titanite",
}
"""Other spellings of names in the list."""


def symbol_of(name: str) -> str:
    """Symbol of a mineral after Warr (2021).

    Parameters
    ----------
    name : str
        Its name; case, accents, underscores and spaces around it do not matter.

    Returns
    -------
    symbol : str
        "" where the name is not in the list: a compound without a mineral name, a mixture
        (``Hematite_Magnetite``), or a mineral that is not common in slags and ores.

    Examples
    --------
    >>> symbol_of("quartz"), symbol_of("LiAlO2")
    ('Qz', '')
    """
    key = _key(name)
    return _symbols().get(_OTHER_NAMES.get(key, key), "")


def _key(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name.replace("_", " ").strip().casefold())
    return "".join(sign for sign in plain if not unicodedata.combining(sign))


@lru_cache(maxsize=1)
def _symbols() -> dict[str, str]:
    listed = resources.files("napari_slagseg.data").joinpath("minerals.csv")
    lines = [
        line for line in listed.read_text(encoding="utf-8").splitlines() if not line.startswith("#")
    ]
    return {_key(row["name"]): row["symbol"] for row in csv.DictReader(lines)}


__all__ = ["symbol_of"]
