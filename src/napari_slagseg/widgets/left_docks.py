"""napari's docks on the left, moved together while a dock at the bottom needs the height."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDockWidget, QMainWindow


def left_docks_as_tabs(main: QMainWindow, tabs: bool) -> None:
    """Put layer controls and layer list into one place, as tabs, or above each other again.

    Above each other they leave too little height for a dock at the bottom. Docks that
    the user has taken out of the window stay where they are.
    """
    controls = main.findChild(QDockWidget, "layer controls")
    layer_list = main.findChild(QDockWidget, "layer list")
    if controls is None or layer_list is None or controls.isFloating() or layer_list.isFloating():
        return
    together = layer_list in main.tabifiedDockWidgets(controls)
    if tabs and not together:
        main.tabifyDockWidget(controls, layer_list)
    elif together and not tabs:
        main.removeDockWidget(layer_list)
        main.splitDockWidget(controls, layer_list, Qt.Orientation.Vertical)
        layer_list.show()


__all__ = ["left_docks_as_tabs"]
