"""The Alignment dock's own canvas: the picture, outlines and landmarks, in the map's frame."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from napari.components.viewer_model import ViewerModel
from napari.layers import Image, Points, Vectors
from napari.qt import QtViewer
from numpy.typing import NDArray
from qtpy.QtCore import QSize, QTimer, Signal
from qtpy.QtGui import QKeyEvent, QResizeEvent
from qtpy.QtWidgets import QSizePolicy, QVBoxLayout, QWidget

from napari_slagseg.data import Cutout
from napari_slagseg.widgets.composite import RGB
from napari_slagseg.widgets.landmark_colours import POINT_STYLE, dress_points
from napari_slagseg.widgets.outlines import Segments, chosen_lines, cutout_lines
from napari_slagseg.widgets.vector_lines import put_lines

_LINE_PIXELS = {"rejected": 1.0, "accepted": 2.0, "locked": 3.5, "chosen": 3.0}
"""Width of the lines on the screen."""

_CLICK_PIXELS = 4.0
_POINT_PIXELS = 24.0


class _Canvas(QtViewer):
    """Canvas that leaves keys to the dock: napari's own would act on this small viewer."""

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Pass it on."""
        if event is not None:
            event.ignore()

    def keyReleaseEvent(self, event: QKeyEvent | None) -> None:
        """Pass it on."""
        if event is not None:
            event.ignore()


class AlignmentView(QWidget):
    """Picture of a map with its cutouts, to pan, zoom and click.

    Signals
    -------
    clicked : (float, float, bool)
        Map row and column, and whether Shift was held.
    """

    clicked = Signal(float, float, bool)

    def __init__(self) -> None:
        super().__init__()
        self.model = ViewerModel(title="alignment", axis_labels=("row", "column"))
        self.canvas = _Canvas(self.model)
        self.canvas.dims.setVisible(False)
        self.canvas.setMinimumSize(QSize(240, 200))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.canvas)
        self._pixel_um = 1.0
        self._second = 0.0
        """Map columns from a picture to the one beside it; 0 where there is one."""
        self._lines: dict[str, Vectors] = {}
        self._image: Image | None = None
        self._points: Points | None = None
        self._fitted: tuple[float, tuple[float, ...]] | None = None
        self._shown: tuple[Sequence[Cutout], Sequence[int]] = ((), ())
        self._landmarks: tuple[NDArray[np.float64], int | None] = (np.zeros((0, 2)), None)
        self.model.mouse_drag_callbacks.append(self._drag)
        self.model.scene.camera.events.zoom.connect(self._keep_line_width)

    @property
    def native(self) -> QWidget:
        """Widget that has the keyboard focus when the picture was clicked."""
        return self.canvas.canvas.native

    # -- what is shown -----------------------------------------------------

    def _placement(self, pitch: float = 1.0) -> dict[str, object]:
        """Where a layer of map pixels lies, in micrometres."""
        return {
            "scale": (self._pixel_um * pitch,) * 2,
            "units": ("um", "um"),
            "axis_labels": ("row", "column"),
        }

    def show_picture(self, rgb: RGB, step: int, pixel_um: float, second: float = 0.0) -> None:
        """Show a picture.

        Parameters
        ----------
        rgb : (rows, columns, 3) uint8
        step : int
            Map pixels from one picture pixel to the next.
        pixel_um : float
            Of the map.
        second : float
            Map columns from the first picture to the one beside it; 0 for one picture.
        """
        if self._image is None:
            self._make_layers(rgb)
        same = self._image.data.shape == rgb.shape and self._image.visible
        same = same and (pixel_um, second) == (self._pixel_um, self._second)
        self._image.data = rgb
        if same:
            return
        self._image.visible = True
        self._pixel_um, self._second = pixel_um, second
        for layer in self.model.layers:
            layer.scale = self._placement(step if layer is self._image else 1)["scale"]
        self._fit()
        self.show_cutouts(*self._shown)
        self.show_landmarks(*self._landmarks)

    def _make_layers(self, rgb: RGB) -> None:
        """Make all layers once; another picture or map is put into the same ones."""
        self._image = self.model.add_image(
            rgb, rgb=True, name="picture", interpolation2d="nearest", **self._placement()
        )
        for name in _LINE_PIXELS:
            self._lines[name] = self.model.add_vectors(
                np.zeros((0, 2, 2)),
                name=name,
                vector_style="line",
                visible=False,
                **self._placement(),
            )
        self._points = self.model.add_points(
            np.zeros((0, 2)), name="landmarks", visible=False, **POINT_STYLE, **self._placement()
        )
        self.model.layers.selection.active = self._image
        self.model.canvas.overlays.scale_bar.visible = True
        self._image.visible = False  # not fitted into the canvas yet

    def _fit(self) -> None:
        """Show the whole picture."""
        self.model.reset_view()
        camera = self.model.scene.camera
        self._fitted = (camera.zoom, tuple(camera.center))

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Keep the whole picture in sight, unless the user has zoomed or moved it."""
        super().resizeEvent(event)
        camera = self.model.scene.camera
        if self._fitted == (camera.zoom, tuple(camera.center)):
            # the canvas takes its new size after this event
            QTimer.singleShot(0, self._fit)

    def show_cutouts(self, cutouts: Sequence[Cutout], chosen: Sequence[int]) -> None:
        """Draw the frames of cutouts, and the whole outlines of those that are chosen."""
        self._shown = (cutouts, chosen)
        if not self._lines:
            return
        for state in ("rejected", "accepted", "locked"):
            self._draw(state, cutout_lines(cutouts, state))
        self._draw("chosen", chosen_lines(cutouts, chosen))

    def _draw(self, name: str, segments: Segments) -> None:
        layer = self._lines[name]
        lines, colours = segments.lines, segments.colours
        if self._second and len(lines):
            beside = lines + np.array([[0.0, self._second], [0.0, 0.0]])
            lines, colours = np.concatenate([lines, beside]), colours * 2
        wanted = (lines.tobytes(), tuple(colours), self._width(name))
        if layer.metadata.get("drawn") == wanted:
            return  # a nudge changes no frame, and drawing them takes its time
        layer.metadata["drawn"] = wanted
        if layer.visible != bool(len(lines)):
            layer.visible = bool(len(lines))
        if len(lines):
            put_lines(layer, lines, colours)
            layer.edge_width = self._width(name)

    def _width(self, name: str) -> float:
        return self._pixels_on_screen(_LINE_PIXELS[name])

    def _pixels_on_screen(self, pixels: float) -> float:
        """Length in map pixels that takes so many pixels of the screen at this zoom."""
        return pixels / max(self.model.scene.camera.zoom * self._pixel_um, 1e-6)

    def _keep_line_width(self, _: object = None) -> None:
        for name, layer in self._lines.items():
            if layer.visible:
                layer.edge_width = self._width(name)
        if self._points is not None and self._points.visible:
            self._points.size = self._pixels_on_screen(_POINT_PIXELS)

    def show_landmarks(self, pixels: NDArray[np.float64], worst: int | None = None) -> None:
        """Draw numbered landmarks at map positions (n, 2); the worst has a red rim."""
        self._landmarks = (pixels, worst)
        if self._points is not None:
            size = self._pixels_on_screen(_POINT_PIXELS)
            dress_points(self._points, self._landmark_places(), len(pixels), worst, size)

    def _landmark_places(self) -> NDArray[np.float64]:
        """Of both pictures, where two lie side by side."""
        pixels = self._landmarks[0]
        if not self._second:
            return pixels
        return np.concatenate([pixels, pixels + np.array([0.0, self._second])])

    # -- clicks ------------------------------------------------------------

    def _drag(self, viewer: ViewerModel, event: object) -> Iterator[None]:
        """Tell a click from the start of a pan."""
        if event.button != 1:
            return
        start = np.asarray(event.pos, float)
        position = np.asarray(event.position, float)[-2:]
        shift = "Shift" in event.modifiers
        yield
        while event.type == "mouse_move":
            yield
        if np.hypot(*(np.asarray(event.pos, float) - start)) <= _CLICK_PIXELS:
            self.click(*(position / self._pixel_um), shift)

    def click(self, row: float, column: float, shift: bool = False) -> None:
        """Click at a place of the picture, in map pixels from the first picture's corner."""
        if self._second and column >= self._second - 0.5:
            column -= self._second
        self.clicked.emit(float(row), float(column), shift)

    def blank(self) -> None:
        """Show nothing for the moment before another picture: hiding layers takes longer."""
        if self._image is not None:
            self._image.data = np.zeros_like(self._image.data)

    def clear(self) -> None:
        """Show nothing."""
        for layer in self.model.layers:
            layer.visible = False
            layer.metadata.clear()

    def close_canvas(self) -> None:
        """Give the canvas back before the window goes; the view is of no use after it."""
        self.model.mouse_drag_callbacks.clear()
        self.model.scene.camera.events.zoom.disconnect(self._keep_line_width)
        canvas, self.canvas = self.canvas, None
        canvas.close()
        canvas.setParent(None)


__all__ = ["AlignmentView"]
