"""Page 1: make a project or open one."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from pathlib import Path

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListWidget,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_slagseg import io
from napari_slagseg.data import SlagsegError
from napari_slagseg.project import Project

IMAGE_FILTER = "Maps (*.png *.tif *.tiff *.bmp *.jpg *.jpeg *.npy);;All files (*)"
VOLUME_FILTER = (
    "Volumes (*.tif *.tiff *.btf *.npy *.mhd *.mha *.nrrd *.nii *.nii.gz *.raw *.vol);;"
    "All files (*)"
)
RAW_TYPES = ("uint8", "uint16", "int16", "uint32", "float32")


class PathEdit(QWidget):
    """A line for a path, and buttons that open dialogs for it.

    Signals
    -------
    changed : (str)
    """

    changed = Signal(str)

    def __init__(self, pick: dict[str, Callable[[], str]]) -> None:
        super().__init__()
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self.line = QLineEdit()
        self.line.editingFinished.connect(lambda: self.changed.emit(self.text()))
        layout.addWidget(self.line, 1)
        for label, dialog in pick.items():
            button = QPushButton(label)
            button.clicked.connect(lambda _=False, dialog=dialog: self._picked(dialog()))
            layout.addWidget(button)

    def _picked(self, path: str) -> None:
        if path:
            self.set_text(path)

    def text(self) -> str:
        """Path as it stands."""
        return self.line.text().strip()

    def set_text(self, path: str) -> None:
        """Set the path and tell of it."""
        self.line.setText(path)
        self.changed.emit(path)


class NewProjectDialog(QDialog):
    """Ask for all that a new project needs; the project is made when it is accepted."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("New slagseg project")
        self.setMinimumWidth(640)
        self.project: Project | None = None
        form = QFormLayout()
        self.ct = PathEdit(
            {
                "File…": lambda: QFileDialog.getOpenFileName(self, "CT volume", "", VOLUME_FILTER)[
                    0
                ],
                "Folder…": lambda: QFileDialog.getExistingDirectory(
                    self, "Folder of slices, or Zarr store"
                ),
            }
        )
        self.ct.setToolTip(
            "TIFF, folder of TIFF slices, NPY, Zarr, OME-Zarr, raw, MHD, NRRD, NIfTI"
        )
        form.addRow("CT volume", self.ct)
        self.voxel_size = QLineEdit()
        self.voxel_size.setPlaceholderText("micrometres; one number, or z, y, x")
        form.addRow("Voxel size (um)", self.voxel_size)
        self.raw_shape = QLineEdit()
        self.raw_shape.setPlaceholderText("z, y, x")
        self.raw_type = QComboBox()
        self.raw_type.addItems(RAW_TYPES)
        self.raw_row = QWidget()
        raw = QHBoxLayout(self.raw_row)
        raw.setContentsMargins(0, 0, 0, 0)
        raw.addWidget(self.raw_shape, 1)
        raw.addWidget(self.raw_type)
        form.addRow("Raw shape and type", self.raw_row)
        self.raw_row.setEnabled(False)
        self.maps = QListWidget()
        self.maps.setMaximumHeight(90)
        add, remove = QPushButton("Add maps…"), QPushButton("Remove")
        add.clicked.connect(self._add_maps)
        remove.clicked.connect(lambda: self.maps.takeItem(self.maps.currentRow()))
        buttons = QVBoxLayout()
        buttons.addWidget(add)
        buttons.addWidget(remove)
        buttons.addStretch(1)
        row = QHBoxLayout()
        row.addWidget(self.maps, 1)
        row.addLayout(buttons)
        form.addRow("Mineral maps", row)
        self.pixel_size = QLineEdit()
        self.pixel_size.setPlaceholderText("micrometres")
        form.addRow("Pixel size (um)", self.pixel_size)
        self.legend = PathEdit(
            {
                "File…": lambda: QFileDialog.getOpenFileName(
                    self, "Legend", "", "Legends (*.csv *.json)"
                )[0]
            }
        )
        self.legend.setToolTip("CSV: colour,phase,symbol,formula,density_g_cm3,group; or JSON")
        form.addRow("Legend", self.legend)
        self.target = QComboBox()
        self.target.setToolTip("the phase whose liberation is measured")
        form.addRow("Target phase", self.target)
        self.folder = PathEdit(
            {"Choose…": lambda: QFileDialog.getSaveFileName(self, "New project folder")[0]}
        )
        form.addRow("Project folder", self.folder)
        self.message = QLabel()
        self.message.setWordWrap(True)
        self.message.setStyleSheet("color: #d55e00")
        self.message.setTextFormat(Qt.TextFormat.PlainText)
        box = QDialogButtonBox(
            QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel
        )
        box.button(QDialogButtonBox.StandardButton.Ok).setText("Make project")
        box.accepted.connect(self._make)
        box.rejected.connect(self.reject)
        outer = QVBoxLayout(self)
        outer.addLayout(form)
        outer.addWidget(self.message)
        outer.addWidget(box)
        self.ct.changed.connect(self._ct_changed)
        self.legend.changed.connect(self._legend_changed)

    def _add_maps(self) -> None:
        names, _ = QFileDialog.getOpenFileNames(self, "Mineral maps", "", IMAGE_FILTER)
        self.maps.addItems(names)

    def _ct_changed(self, path: str) -> None:
        suffix = Path(path).suffix.lower()
        self.raw_row.setEnabled(suffix in (".raw", ".vol", ".bin", ".dat"))
        self.message.clear()
        try:
            size = io.stored_voxel_size(path) if path else None
        except SlagsegError as error:
            self.message.setText(str(error))
            return
        if size is not None:
            one = len({round(s, 9) for s in size}) == 1
            self.voxel_size.setText(
                f"{size[0]:.6g}" if one else ", ".join(f"{s:.6g}" for s in size)
            )

    def _legend_changed(self, path: str) -> None:
        self.target.clear()
        self.message.clear()
        if not path:
            return
        try:
            self.target.addItems(io.read_legend(path).names[1:])
        except SlagsegError as error:
            self.message.setText(str(error))

    def _make(self) -> None:
        self.message.clear()
        try:
            self.project = Project.create(
                _given(self.folder.text(), "project folder"),
                ct=_given(self.ct.text(), "CT volume"),
                maps=[self.maps.item(i).text() for i in range(self.maps.count())],
                legend=_given(self.legend.text(), "legend"),
                pixel_size_um=_one_number(self.pixel_size.text(), "pixel size"),
                target=_given(self.target.currentText(), "target phase"),
                voxel_size_um=self._voxel_size(),
                raw=self._raw(),
            )
        except (SlagsegError, OSError) as error:
            self.message.setText(str(error))
            return
        self.accept()

    def _voxel_size(self) -> float | list[float] | None:
        numbers = _numbers(self.voxel_size.text(), "voxel size")
        if len(numbers) == 1:
            return numbers[0]
        return numbers or None

    def _raw(self) -> io.RawLayout | None:
        if not self.raw_row.isEnabled():
            return None
        numbers = _numbers(self.raw_shape.text(), "raw shape")
        if len(numbers) != 3 or not all(n >= 1 and n.is_integer() for n in numbers):
            raise SlagsegError("A raw file needs its shape: three whole numbers, z, y, x.")
        shape = [int(n) for n in numbers]
        return io.RawLayout((shape[0], shape[1], shape[2]), self.raw_type.currentText())


def _given(text: str, what: str) -> str:
    if not text:
        raise SlagsegError(f"Give the {what}.")
    return text


def _one_number(text: str, what: str) -> float:
    numbers = _numbers(_given(text, what), what)
    if len(numbers) != 1:
        raise SlagsegError(f"The {what} '{text}' must be one number.")
    return numbers[0]


def _numbers(text: str, what: str) -> list[float]:
    try:
        return [float(part) for part in text.replace(",", " ").split()]
    except ValueError as error:
        raise SlagsegError(f"The {what} '{text}' is not a number.") from error


class ProjectPage(QWidget):
    """Buttons to make or open a project, and what the open one is.

    Signals
    -------
    chosen : (str)
        Folder of the project to open.
    """

    chosen = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        new, existing = QPushButton("New project…"), QPushButton("Open project…")
        new.setToolTip("from a CT volume, mineral maps and their legend")
        existing.setToolTip("a folder that holds a project.json")
        new.clicked.connect(self._new)
        existing.clicked.connect(self._open)
        row = QHBoxLayout()
        row.addWidget(new)
        row.addWidget(existing)
        self.about = QLabel("No project is open.")
        self.about.setWordWrap(True)
        layout = QVBoxLayout(self)
        layout.addLayout(row)
        layout.addWidget(self.about)
        self.below = QVBoxLayout()
        """For what belongs under the open project."""
        layout.addLayout(self.below)
        layout.addStretch(1)

    def _new(self) -> None:
        dialog = NewProjectDialog(self)
        if dialog.exec() and dialog.project is not None:
            self.chosen.emit(str(dialog.project.folder))

    def _open(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Project folder")
        if folder:
            self.chosen.emit(folder)

    def show_project(self, project: Project, read_only_reason: str) -> None:
        """Say what the project is made of."""
        d = project.description
        z, y, x = d.ct.shape
        size = ", ".join(f"{s:g}" for s in d.ct.voxel_size_um)
        lines = [
            f"<b>{escape(d.name)}</b> ({escape(str(project.folder))})",
            f"CT {escape(Path(d.ct.path).name)}: {z} x {y} x {x} voxels of {size} um (z, y, x)",
            f"{len(d.maps)} map{'s' * (len(d.maps) != 1)}, target phase <b>{d.target}</b>",
        ]
        lines += [
            f"{m.name}: {m.shape[0]} x {m.shape[1]} pixels of {m.pixel_size_um:g} um, "
            f"{m.unmatched_fraction:.2%} unmatched"
            for m in d.maps
        ]
        if read_only_reason:
            reason = escape(read_only_reason)
            lines.append(f"<span style='color:#d55e00'>Read only. {reason}</span>")
        self.about.setText("<br>".join(lines))


__all__ = ["NewProjectDialog", "PathEdit", "ProjectPage"]
