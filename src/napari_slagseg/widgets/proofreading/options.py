"""Options of the tool that is taken; those of the others are out of sight."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QHBoxLayout,
    QLabel,
    QSpinBox,
    QStackedWidget,
    QWidget,
)

from napari_slagseg.data import PhaseTable


class PhaseBox(QComboBox):
    """Phases to choose from.

    Parameters
    ----------
    automatic : str
        First entry, for no phase; empty where one must be chosen.
    """

    def __init__(self, automatic: str = "") -> None:
        super().__init__()
        self._automatic = automatic

    def set_table(self, table: PhaseTable) -> None:
        """Offer the phases of another table, keeping the one chosen if it is there."""
        before = self.currentData()
        self.clear()
        if self._automatic:
            self.addItem(self._automatic, None)
        for phase in table:
            if phase.id:
                self.addItem(phase.name, phase.id)
        at = self.findData(before)
        self.setCurrentIndex(max(0, at))


class Options(QStackedWidget):
    """One row of options for each tool that has some.

    Signals
    -------
    changed : (str)
        Tool whose options were changed.
    """

    changed = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self._fields: dict[str, dict[str, QWidget]] = {}
        self._pages: dict[str, QWidget] = {"": QWidget()}
        self.addWidget(self._pages[""])
        self._phases: list[PhaseBox] = []
        self._make()
        self.setFixedHeight(self.sizeHint().height())

    def _make(self) -> None:
        width = QDoubleSpinBox()
        width.setRange(0.5, 10.0)
        width.setSingleStep(0.5)
        width.setValue(1.0)
        width.setSuffix(" voxels")
        width.setToolTip("bumps and pits narrower than about twice this go")
        self._page("smooth", {"voxels": ("Width", width)})
        largest = QSpinBox()
        largest.setRange(0, 10_000_000)
        largest.setSpecialValueText("all")
        largest.setSuffix(" voxels")
        largest.setToolTip("larger holes are left; 'all' fills every hole")
        self._page("fill", {"largest": ("Holes up to", largest)})
        apart = QCheckBox("even if they do not touch")
        apart.setToolTip("one particle in several pieces, as where a crack parts it")
        self._page("merge", {"apart": ("", apart)})
        radius = QSpinBox()
        radius.setRange(1, 200)
        radius.setValue(50)
        radius.setSuffix(" voxels")
        radius.setToolTip("it grows no farther than this from the click")
        tolerance = QDoubleSpinBox()
        tolerance.setRange(0.0, 1e6)
        tolerance.setSpecialValueText("automatic")
        tolerance.setToolTip("how much its grey values may differ; estimated around the click")
        grown = self._phase_box("phase: as around")
        self._page(
            "grow",
            {"radius": ("Up to", radius), "tolerance": ("±", tolerance), "phase": ("", grown)},
        )
        to_chosen = QCheckBox("to the chosen")
        to_chosen.setToolTip("the paint becomes part of the chosen particle, not a new one")
        overwrite = QCheckBox("over others")
        overwrite.setToolTip("voxels of other particles are taken too; else they are left out")
        painted = self._phase_box()
        painted.setToolTip("of painted voxels that have none")
        self._page(
            "add",
            {"phase": ("", painted), "to_chosen": ("", to_chosen), "overwrite": ("", overwrite)},
        )
        self._page("relabel_region", {"phase": ("Becomes", self._phase_box())})
        only = QCheckBox("only in the chosen")
        only.setToolTip("paint outside of the chosen particle changes nothing")
        self._page("relabel", {"phase": ("Becomes", self._phase_box()), "only_chosen": ("", only)})
        array = QComboBox()
        array.addItem("particles", "particles")
        array.addItem("phases", "phases")
        array.setToolTip("what the brushes change")
        brushed = self._phase_box("phase: as around")
        brushed.setToolTip("of new voxels of particles")
        self._page("brush", {"array": ("Brush on", array), "phase": ("", brushed)})

    def _phase_box(self, automatic: str = "") -> PhaseBox:
        box = PhaseBox(automatic)
        self._phases.append(box)
        return box

    def _page(self, tool: str, fields: Mapping[str, tuple[str, QWidget]]) -> None:
        page = QWidget()
        row = QHBoxLayout(page)
        row.setContentsMargins(0, 0, 0, 0)
        for name, widget in fields.values():
            if name:
                row.addWidget(QLabel(name))
            row.addWidget(widget)
            for signal in ("currentIndexChanged", "toggled", "valueChanged"):
                if hasattr(widget, signal):
                    getattr(widget, signal).connect(lambda *_, of=tool: self.changed.emit(of))
        row.addStretch(1)
        self._fields[tool] = {key: widget for key, (_, widget) in fields.items()}
        self._pages[tool] = page
        self.addWidget(page)

    def set_table(self, table: PhaseTable) -> None:
        """Offer the phases of a project."""
        for box in self._phases:
            box.set_table(table)

    def show_tool(self, tool: str) -> None:
        """Show the options of a tool; nothing for one without any."""
        self.setCurrentWidget(self._pages.get(tool, self._pages[""]))

    def of(self, tool: str) -> dict[str, Any]:
        """Options of a tool as they stand."""
        return {name: _value(widget) for name, widget in self._fields.get(tool, {}).items()}

    def field(self, tool: str, name: str) -> QWidget:
        """Widget of an option."""
        return self._fields[tool][name]


def _value(widget: QWidget) -> Any:
    if isinstance(widget, QComboBox):
        return widget.currentData()
    if isinstance(widget, QCheckBox):
        return widget.isChecked()
    assert isinstance(widget, (QSpinBox, QDoubleSpinBox))
    return widget.value()


__all__ = ["Options", "PhaseBox"]
