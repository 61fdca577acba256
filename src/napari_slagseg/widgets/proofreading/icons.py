"""Icons of the tools, drawn as lines in the theme's text colour."""

from __future__ import annotations

from qtpy.QtCore import QByteArray, QRectF, Qt
from qtpy.QtGui import QColor, QIcon, QPainter, QPixmap
from qtpy.QtSvg import QSvgRenderer

_BLOB = "M4 12c0-5 4-7 8-7s8 3 8 7-3 7-8 7-8-2-8-7z"

_DRAWN: dict[str, str] = {
    "split": f'<path d="{_BLOB}"/><circle cx="9" cy="12" r="1.6" fill="C"/>'
    '<circle cx="15.5" cy="12" r="1.6" fill="C"/>',
    "split_by_stroke": f'<path d="{_BLOB}"/><path d="M14 2c-3 5-1 9-4 20" stroke-width="2.4"/>',
    "merge": '<circle cx="8.5" cy="12" r="5.5"/><circle cx="15.5" cy="12" r="5.5"/>'
    '<path d="M9.5 12h5M12 9.5v5"/>',
    "delete": '<path d="M5 7h14M10 7V4.5h4V7M7 7l1 13h8l1-13M10.5 10.5v6M13.5 10.5v6"/>',
    "grow": '<circle cx="12" cy="12" r="2" fill="C"/>'
    '<path d="M12 7V3M12 21v-4M7 12H3M21 12h-4M8.5 8.5L5.5 5.5M18.5 18.5l-3-3M15.5 8.5l3-3'
    'M5.5 18.5l3-3"/>',
    "add": '<path d="M4 20l1-4L15 6l3 3L8 19z"/><path d="M18 14v7M14.5 17.5h7"/>',
    "fill": f'<path d="{_BLOB}"/><circle cx="12" cy="12" r="3" fill="C" fill-opacity="0.6"/>',
    "smooth": '<path d="M3 9l3-3 3 4 3-5 3 5 3-4 3 3" stroke-opacity="0.5"/>'
    '<path d="M3 17c4-5 6 3 9-0.500s5-3 9 0.500" stroke-width="2.2"/>',
    "relabel_region": f'<path d="{_BLOB}"/><path d="M12 5v14" />'
    '<path d="M12.500 6c4 0 6.500 3 6.500 6s-2.500 6-6.500 6z" fill="C" fill-opacity="0.6"/>',
    "relabel": '<path d="M4 20l1-4L15 6l3 3L8 19z"/>'
    '<rect x="15" y="15" width="6" height="6" fill="C" fill-opacity="0.6"/>',
    "brush": '<path d="M20 4c-5 2-9 6-11 9l3 3c3-2 6-6 8-12z"/>'
    '<path d="M9 14c-3 0-3 5-6 5 3 2 8 1 8.500-2.500z" fill="C" fill-opacity="0.6"/>',
    "lock": '<rect x="5.500" y="11" width="13" height="9" rx="1.500"/>'
    '<path d="M8.500 11V8a3.500 3.500 0 0 1 7 0v3"/>',
    "undo": '<path d="M8 5L4 9l4 4"/><path d="M4 9h10a5 5 0 0 1 0 10H9"/>',
    "redo": '<path d="M16 5l4 4-4 4"/><path d="M20 9H10a5 5 0 0 0 0 10h5"/>',
    "keys": '<rect x="2.500" y="6" width="19" height="12" rx="1.500"/>'
    '<path d="M6 10h.1M9.500 10h.1M13 10h.1M16.500 10h.1M8 14h8" stroke-width="2.2"/>',
    "frame": '<path d="M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5"/><circle cx="12" cy="12" r="3"/>',
}  # fmt: skip

_SIZE = 48


def icon(name: str, colour: QColor) -> QIcon:
    """Icon of an action, also as it looks where it is not allowed."""
    made = QIcon()
    pale = QColor(colour)
    pale.setAlphaF(0.35)
    made.addPixmap(_pixmap(name, colour), QIcon.Mode.Normal)
    made.addPixmap(_pixmap(name, pale), QIcon.Mode.Disabled)
    return made


def _pixmap(name: str, colour: QColor) -> QPixmap:
    drawn = _DRAWN[name].replace('"C"', f'"{colour.name()}"')
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" fill="none" '
        f'stroke="{colour.name()}" opacity="{colour.alphaF():.2f}" stroke-width="1.6" '
        f'stroke-linecap="round" stroke-linejoin="round">{drawn}</svg>'
    )
    pixmap = QPixmap(_SIZE, _SIZE)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    QSvgRenderer(QByteArray(svg.encode())).render(painter, QRectF(0, 0, _SIZE, _SIZE))
    painter.end()
    return pixmap


__all__ = ["icon"]
