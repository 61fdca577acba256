"""Whether a window can be opened, and pictures of windows from a process of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

from napari_slagseg.data import SlagsegError

SCREENSHOT_TIMEOUT_S = 180

_TAKE = (
    "import sys; from napari_slagseg.widgets import screenshot_project; "
    "screenshot_project(sys.argv[1], sys.argv[2])"
)


def has_display() -> bool:
    """Whether there is a screen to open a window on."""
    if sys.platform in ("win32", "darwin"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def open_viewer(project: Path) -> None:
    """Open napari on a project and come back when it is closed."""
    if not has_display() and not os.environ.get("QT_QPA_PLATFORM"):
        raise SlagsegError(
            "There is no display to open napari on (DISPLAY is not set). Run this on a desktop, "
            "or with 'ssh -X', or under 'xvfb-run'."
        )
    # by name: the widgets are the one room above this one, and the window is
    # theirs to open; nothing else here may know napari
    try:
        widgets = import_module("napari_slagseg.widgets")
    except ImportError as error:
        raise SlagsegError(
            f"napari cannot be opened: {error}. Install a Qt binding: "
            "pip install 'napari-slagseg[all]'."
        ) from error
    widgets.view_project(project)


def take_screenshot(project: Path, picture: Path) -> str:
    """Save a picture of napari on a project.

    In a process of its own, because a broken graphics driver ends the process
    that uses it.

    Returns
    -------
    str
        "" if the picture was taken, else why not.
    """
    command = [sys.executable, "-c", _TAKE, str(project), str(picture)]
    if not has_display():
        virtual = shutil.which("xvfb-run")
        if virtual is None:
            return "there is no display and no xvfb-run (Debian: apt install xvfb)"
        command = [virtual, "-a", "-s", "-screen 0 1600x1000x24", *command]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=SCREENSHOT_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return f"napari gave no picture within {SCREENSHOT_TIMEOUT_S} s"
    except OSError as error:
        return str(error)
    if done.returncode == 0 and picture.is_file():
        return ""
    said = [line for line in done.stderr.splitlines() if line.strip()]
    return f"napari ended with code {done.returncode}: {said[-1] if said else 'nothing said'}"


__all__ = ["has_display", "open_viewer", "take_screenshot"]
