"""Take the pictures of the docs from a finished demo project.

Run (under a display, or with xvfb-run): python scripts/docs_screenshots.py demo/project
"""

from __future__ import annotations

import argparse
from pathlib import Path

from napari_slagseg.widgets.launch import screenshot_project

PAGES = ("Register", "Train", "Segment", "Correct", "Measure")


def main() -> None:
    """One picture for each page of the workflow dock."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("project", type=Path)
    parser.add_argument("--out", type=Path, default=Path("docs/images"))
    parser.add_argument("--pages", nargs="*", default=list(PAGES))
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    for page in arguments.pages:
        path = arguments.out / f"{page.lower()}.png"
        screenshot_project(arguments.project, path, page=page)


if __name__ == "__main__":
    main()
