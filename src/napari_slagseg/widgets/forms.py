"""Forms built from the configurations of the steps."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic.fields import FieldInfo
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFormLayout,
    QLineEdit,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)
from superqt import QCollapsible

from napari_slagseg.workflow import StepConfig

_LARGEST = 2**31 - 1


def _plain_type(annotation: Any) -> tuple[Any, bool]:
    """Type without ``None`` and ``Annotated``, and whether ``None`` was allowed."""
    optional = False
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        members = [a for a in typing.get_args(annotation) if a is not type(None)]
        optional = len(members) < len(typing.get_args(annotation))
        annotation = members[0]
    if typing.get_origin(annotation) is typing.Annotated:
        annotation = typing.get_args(annotation)[0]
    return annotation, optional


def _bounds(field: FieldInfo) -> tuple[int, int, int]:
    low, high, step = 0, _LARGEST, 1
    for item in field.metadata:
        if hasattr(item, "ge"):
            low = int(item.ge)
        if hasattr(item, "gt"):
            low = int(item.gt) + 1
        if hasattr(item, "le"):
            high = int(item.le)
        if hasattr(item, "multiple_of"):
            step = int(item.multiple_of)
    return low, high, step


class ConfigForm(QWidget):
    """Form for a step configuration.

    Parameters
    ----------
    config : type of StepConfig
        Its fields make the form: their descriptions are the tooltips.
    basic : sequence of str
        Fields shown at once; the others are under *More settings*.
    hidden : sequence of str
        Fields that another control sets.
    """

    def __init__(
        self, config: type[StepConfig], basic: Sequence[str] = (), hidden: Sequence[str] = ()
    ) -> None:
        super().__init__()
        self.config = config
        self.controls: dict[str, QWidget] = {}
        shown, folded = QFormLayout(), QFormLayout()
        for layout in (shown, folded):
            layout.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
            layout.setContentsMargins(0, 0, 0, 0)
        for name, field in config.model_fields.items():
            if name in hidden:
                continue
            control = self._control(field)
            control.setToolTip(field.description or "")
            self.controls[name] = control
            (shown if name in basic else folded).addRow(name.replace("_", " "), control)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addLayout(shown)
        if folded.rowCount():
            box = QCollapsible("More settings")
            inside = QWidget()
            inside.setLayout(folded)
            box.addWidget(inside)
            outer.addWidget(box)
        self.set_values(config().model_dump())

    def _control(self, field: FieldInfo) -> QWidget:
        kind, optional = _plain_type(field.annotation)
        if typing.get_origin(kind) is Literal:
            combo = QComboBox()
            for choice in typing.get_args(kind):
                combo.addItem(str(choice), choice)
            return combo
        if kind is bool and not optional:
            return QCheckBox()
        if kind is bool:
            combo = QComboBox()
            for text, value in (("automatic", None), ("yes", True), ("no", False)):
                combo.addItem(text, value)
            return combo
        if kind is int and not optional:
            spin = QSpinBox()
            low, high, step = _bounds(field)
            spin.setRange(low, high)
            spin.setSingleStep(step)
            return spin
        line = QLineEdit()
        if optional or typing.get_origin(kind) is tuple:
            line.setPlaceholderText("automatic")
        return line

    def values(self) -> dict[str, Any]:
        """What the form says, as plain values for `workflow.make_config`."""
        found: dict[str, Any] = {}
        for name, control in self.controls.items():
            kind, _ = _plain_type(self.config.model_fields[name].annotation)
            if isinstance(control, QCheckBox):
                found[name] = control.isChecked()
            elif isinstance(control, QComboBox):
                found[name] = control.currentData()
            elif isinstance(control, QSpinBox):
                found[name] = control.value()
            else:
                text = control.text().strip()
                if typing.get_origin(kind) is tuple:
                    found[name] = tuple(t.strip() for t in text.split(",") if t.strip())
                elif text:
                    found[name] = text
                elif self.config.model_fields[name].default is None:
                    found[name] = None
        return found

    def set_values(self, values: Mapping[str, Any]) -> None:
        """Show these values; names that the form lacks are passed over."""
        for name, value in values.items():
            control = self.controls.get(name)
            if isinstance(control, QCheckBox):
                control.setChecked(bool(value))
            elif isinstance(control, QComboBox):
                control.setCurrentIndex(max(0, control.findData(value)))
            elif isinstance(control, QSpinBox):
                control.setValue(int(value))
            elif isinstance(control, QLineEdit):
                if value is None:
                    control.setText("")
                elif isinstance(value, (tuple, list)):
                    control.setText(", ".join(map(str, value)))
                else:
                    control.setText(f"{value:g}" if isinstance(value, float) else str(value))


__all__ = ["ConfigForm"]
