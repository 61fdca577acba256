"""Write ``docs/reference/data-dictionary.md`` from the definitions that the program writes itself.

Run: python scripts/data_dictionary.py
"""

from __future__ import annotations

from pathlib import Path

from napari_slagseg.workflow.reporting.dictionary_page import dictionary_page

PAGE = Path(__file__).parents[1] / "docs/reference/data-dictionary.md"

if __name__ == "__main__":
    PAGE.write_text(dictionary_page(), encoding="utf-8")
