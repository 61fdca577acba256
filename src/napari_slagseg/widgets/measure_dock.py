"""The measure dock: target and filters on top, below them table, results and gallery."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
from napari.utils.notifications import show_error, show_info
from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QCheckBox,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QSplitter,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from napari_slagseg import io
from napari_slagseg.data import ParticleTable, SlagsegError
from napari_slagseg.data.colours import Palette, in_palette
from napari_slagseg.project import Project
from napari_slagseg.widgets import layers
from napari_slagseg.widgets.background import Latest
from napari_slagseg.widgets.measuring.choice import choice_of
from napari_slagseg.widgets.measuring.colour_bar import ColourBar
from napari_slagseg.widgets.measuring.edited_rows import Following
from napari_slagseg.widgets.measuring.filters import FilterBar
from napari_slagseg.widgets.measuring.gallery import ParticleGallery
from napari_slagseg.widgets.measuring.notices import Notices
from napari_slagseg.widgets.measuring.particle_views import scale_of, views_of
from napari_slagseg.widgets.measuring.plot_tab import PlotTab
from napari_slagseg.widgets.measuring.sampling import (
    SAMPLE_TABS,
    STEREOLOGY_TAB,
    Request,
    Samples,
    Statistics,
    Tables,
    read_tables,
    samples_for,
    statistics_of,
    stereology_of,
)
from napari_slagseg.widgets.measuring.scatter import ScatterPlot
from napari_slagseg.widgets.measuring.table_view import ParticleTableView
from napari_slagseg.widgets.measuring.viewer_link import ViewerLink
from napari_slagseg.widgets.proofreading.desk import desk_of
from napari_slagseg.widgets.session import session_of
from napari_slagseg.workflow import STEPS
from napari_slagseg.workflow.segment import segmented_phase_table

if TYPE_CHECKING:
    import napari

SHOWN_ON_HOVER = ("equivalent_diameter_um", "sphericity", "volume_liberation", "surface_liberation")

OUTDATED = " ◐"
"""Behind the name of a tab that shows what was before the last edits."""

RESULT_TABS = (*SAMPLE_TABS, STEREOLOGY_TAB)

_MEASURE_AGAIN = (
    "The table was measured by a version that did not keep the contacts between phases.\n"
    "Measure again (page Measure of the workflow dock) to see this."
)


class MeasureDock(QWidget):
    """Particles of a project: table, results with their intervals, and gallery.

    A row, a point of the scatter plot and a picture of the gallery lead to the particle
    in the viewer; a particle that is clicked on in the viewer is marked in all of them.

    Parameters
    ----------
    napari_viewer : napari.Viewer
    """

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__()
        self.viewer = napari_viewer
        self.session = session_of(napari_viewer)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.tables: Tables | None = None
        self.samples: Samples | None = None
        self._asked = 0
        self._about = ""
        self._told: list[str] = []
        self._closed = False
        self.latest, self.statistics = Latest(self), Latest(self)
        for worker in (self.latest, self.statistics):
            worker.done.connect(self._done)
            worker.failed.connect(self._failed)
            worker.idle.connect(self._say_busy)
        self.choice = choice_of(napari_viewer)
        self.views = views_of(napari_viewer)
        self.filters = FilterBar()
        self.colours = ColourBar()
        self.view = ParticleTableView(self.choice)
        self.model = self.view.particles
        self.scatter = ScatterPlot(self.choice)
        self.gallery = ParticleGallery(self.choice)
        self.notices = Notices()
        self.tabs = QTabWidget()
        self.tabs.setMinimumWidth(400)
        self.plot_tabs = {name: PlotTab("Measure a project to see this.") for name in RESULT_TABS}
        self._lay_out()
        self.filters.changed.connect(self.recompute)
        self.colours.changed.connect(self._colour)
        self.gallery.palette_box.currentIndexChanged.connect(lambda _: self._recolour_phases())
        for part in (self.view, self.gallery):
            part.asked_for.connect(self.go_to)
        self.scatter.pointed_at.connect(self.go_to)
        self.choice.changed.connect(self._show_choice)
        self.desk = desk_of(napari_viewer)
        self.following = Following(self.desk, self)
        self.following.changed.connect(partial(self._table_changed, "particles"))
        self.following.sections_changed.connect(partial(self._table_changed, "sections"))
        self.following.begun.connect(self._mark_outdated)
        self.following.failed.connect(self._say_not_renewed)
        self.session.shows_choice = True
        self.link = ViewerLink(napari_viewer, self.views, self.mark_row, self.choose)
        self.session.project_changed.connect(self._project_changed)
        self.session.results_changed.connect(self._results_changed)
        self.refresh()

    def _lay_out(self) -> None:
        self.about = QLabel("Measure a project to see its particles here.")
        self.chosen = QLabel()
        self.only = QCheckBox("Only the chosen")
        self.only.setToolTip("leave all other particles out, in the viewer and in the gallery")
        self.only.toggled.connect(self.gallery.show_only_chosen)
        self.only.toggled.connect(lambda _: self._show_only())
        self.forget = QPushButton("Choose none")
        self.forget.clicked.connect(self.choice.clear)
        self.forget.hide()
        self.save_table = QPushButton("Save table…")
        self.save_table.setToolTip("the shown rows as CSV, and the definitions of their columns")
        self.save_table.clicked.connect(self._save_table)
        self.busy = QProgressBar()
        self.busy.setRange(0, 0)
        self.busy.setTextVisible(False)
        self.busy.setFixedSize(50, 10)
        self.busy.setToolTip("computing; the window can be used meanwhile")
        first, second, corner = QHBoxLayout(), QHBoxLayout(), QHBoxLayout()
        first.addWidget(self.filters, 1)
        first.addWidget(self.busy)
        second.addWidget(self.about)
        second.addWidget(self.notices.line, 1)
        second.addWidget(self.colours)
        second.addWidget(self.colours.legend)
        for widget in (self.chosen, self.forget, self.only, self.save_table):
            corner.addWidget(widget)
        corner.setContentsMargins(0, 0, 0, 2)
        self.corner = QWidget()
        self.corner.setLayout(corner)
        self.tabs.setCornerWidget(self.corner)
        self.splitter = QSplitter(Qt.Orientation.Horizontal)
        self.splitter.addWidget(self.view)
        self.splitter.addWidget(self.scatter)
        self.splitter.setSizes([500, 500])
        self.tabs.addTab(self.splitter, "table")
        for name, tab in self.plot_tabs.items():
            self.tabs.addTab(tab, name)
        self.tabs.addTab(self.gallery, "gallery")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 2, 6, 2)
        layout.setSpacing(3)
        layout.addLayout(first)
        layout.addLayout(second)
        layout.addWidget(self.notices.all)
        layout.addWidget(self.tabs, 1)

    @property
    def table(self) -> ParticleTable | None:
        """Particles that pass the filters, for the chosen target."""
        return None if self.samples is None else self.samples.particles.table

    def _project_changed(self, _: object) -> None:
        self.views.ordinary()
        self.choice.clear()
        self.refresh()

    def _results_changed(self, step: str) -> None:
        if step in ("measure", "report", "run"):
            self.refresh()
        else:
            self.gallery.set_project(self.session.project)
            self._say_what_it_is()
            self._name_particles()

    def refresh(self) -> None:
        """Read the tables of the open project anew, and compute all that follows from them."""
        project = self.session.project
        self.gallery.set_project(project)
        if project is None or not (project.tables / "particles.csv").exists():
            return
        self._ask(self.latest, "tables", lambda: (project, read_tables(project)))

    def recompute(self) -> None:
        """Take the target and the filters as they stand; the last ones asked for win."""
        if self.tables is None:
            return
        try:
            filters = self.filters.filters()
        except SlagsegError as error:
            self.notices.tell([str(error)])
            return
        self._asked += 1
        tables, request = self.tables, Request(self._asked, self.filters.target.names, filters)
        self._ask(self.latest, "samples", lambda: samples_for(tables, request))

    def _ask(self, worker: Latest, name: str, job: object) -> None:
        worker.ask(name, job)  # type: ignore[arg-type]
        self._say_busy()

    @property
    def busy_now(self) -> bool:
        """Whether something is being computed or waits to be."""
        following = self.following.stale or self.following.sections_stale
        return self.latest.busy or self.statistics.busy or following

    def _say_busy(self) -> None:
        self.busy.setVisible(self.busy_now)

    def _done(self, name: str, found: object) -> None:
        if name == "tables":
            project, tables = found  # type: ignore[misc]
            if project is self.session.project:
                self._take_tables(tables)
        elif name == "state":
            project, stale = found  # type: ignore[misc]
            if project is self.session.project and stale and not self.following.notice:
                self.about.setText(
                    f"{self._about} <span style='color:#d55e00'>Out of date: measure again.</span>"
                )
        elif isinstance(found, Samples) and found.request.number == self._asked:
            self._take_samples(found)
        elif isinstance(found, Statistics) and found.request.number == self._asked:
            self._take_statistics(found)

    def _failed(self, problem: str) -> None:
        self.about.setText("The particles cannot be shown.")
        self.notices.tell([problem])
        show_error(problem)

    def _take_tables(self, tables: Tables) -> None:
        first = self.tables is None
        self.tables = tables
        self.following.follow(tables.particles, tables.by_name.get("sections"))
        table = tables.particles
        names = [phase.name for phase in table.table if phase.id]
        before = tables.targets if first else self.filters.target.names
        ticked = [name for name in before if name in names] or table.targets
        self.filters.target.set_phases(names, ticked)
        if first:
            self.filters.set_filters(tables.filters)
        self.recompute()

    def _table_changed(self, name: str, table: ParticleTable) -> None:
        """Rows of what was edited were described again: all that is made of them follows."""
        if self.tables is not None:
            self.tables = replace(self.tables, by_name={**self.tables.by_name, name: table})
            self.recompute()

    def _mark_outdated(self) -> None:
        """An edit was made: until all is computed again, say that what is shown is older."""
        for i in range(self.tabs.count()):
            if not self.tabs.tabText(i).endswith(OUTDATED):
                self.tabs.setTabText(i, self.tabs.tabText(i) + OUTDATED)
                self.tabs.setTabToolTip(i, "from before the last edits; it is being renewed")

    def _say_not_renewed(self, why: str) -> None:
        """Edits cannot be followed, as where the table is of an older version: say so."""
        self.notices.tell([why, *self._told])
        for i in range(self.tabs.count()):
            if self.tabs.tabText(i).endswith(OUTDATED):
                self.tabs.setTabToolTip(i, f"from before the last edits. {why}")

    def _mark_renewed(self, names: Iterable[str]) -> None:
        if self.following.stale:
            return
        if self.following.sections_stale:
            names = [name for name in names if name not in RESULT_TABS]
        for i in range(self.tabs.count()):
            name = self.tabs.tabText(i).removesuffix(OUTDATED)
            if name in names:
                self.tabs.setTabText(i, name)
                self.tabs.setTabToolTip(i, "")

    def _take_samples(self, samples: Samples) -> None:
        self.samples = samples
        table = samples.particles.table
        widths = self.model.columnCount() == 0
        self.model.set_table(table.frame, dict(table.definitions))
        if widths:
            self.view.resizeColumnsToContents()
        self.scatter.set_table(table.frame, dict(table.definitions))
        self.colours.set_table(table.frame)
        self.gallery.set_table(table.frame, in_palette(table.table, self._palette()))
        self._say_what_it_is()
        self._name_particles()
        self._colour()
        self._mark_renewed(("table", "gallery"))
        self.notices.tell([samples.problem, *samples.warnings, self.following.notice])
        if samples.problem:
            for tab in self.plot_tabs.values():
                tab.say(samples.problem)
            return
        tables = self.tables
        assert tables is not None
        self._told = list(samples.warnings)
        self._ask(self.statistics, "results", lambda: statistics_of(tables, samples))
        self._ask(self.statistics, STEREOLOGY_TAB, lambda: stereology_of(tables, samples))

    def _take_statistics(self, found: Statistics) -> None:
        for name in found.tabs:
            tab = self.plot_tabs[name]
            if found.problem:
                tab.say(found.problem)
            elif found.plots.get(name):
                tab.set_plots(found.plots[name], found.frames)
            elif self.tables is not None and self.tables.old:
                tab.say(_MEASURE_AGAIN)
            else:
                tab.say("There are no results of this kind for this target and these filters.")
        self._mark_renewed(found.tabs)
        self._told += [*found.warnings, found.problem, self.following.notice]
        self.notices.tell(self._told)

    def _palette(self) -> Palette:
        return cast(Palette, self.gallery.palette_box.currentData())

    def _recolour_phases(self) -> None:
        project = self.session.project
        if self.samples is not None:
            table = self.samples.particles.table
            self.gallery.set_table(table.frame, in_palette(table.table, self._palette()))
        if project is not None and layers.PHASES_LAYER in self.viewer.layers:
            try:
                phases = in_palette(segmented_phase_table(project), self._palette())
            except SlagsegError as error:
                show_error(str(error))
                return
            self.viewer.layers[layers.PHASES_LAYER].colormap = layers.phase_colormap(phases)

    def _say_what_it_is(self) -> None:
        project = self.session.project
        if project is None or self.tables is None or self.samples is None:
            return
        sample, whole = self.samples.particles, self.tables.particles.frame
        of = "" if len(sample) == len(whole) else f" of {len(whole):,}"
        touching = int(whole["touches_border"].sum())
        self._about = f"<b>{len(sample):,}{of} particles</b> ({touching:,} touch the border) "
        self.about.setText(self._about)
        # beside the window: the whole segmentation may be looked through for it
        self._ask(self.latest, "state", lambda: (project, _is_stale(project)))

    def _name_particles(self) -> None:
        """Let the layer show a particle's numbers under the cursor."""
        if self.table is None or layers.PARTICLES_LAYER not in self.viewer.layers:
            return
        frame = self.table.frame
        named = [c for c in ("label", *SHOWN_ON_HOVER) if c in frame]
        layer = self.viewer.layers[layers.PARTICLES_LAYER]
        layer.features = frame[named].rename(columns={"label": "index"})
        self._show_only()

    def _colour(self) -> None:
        """Colour the particles by the chosen column, or take the colours away."""
        name = self.colours.name
        if not name or self.table is None:
            self.views.ordinary()
            return
        frame = self.table.frame
        values = frame[name].to_numpy(np.float64)
        scale = scale_of(values)
        definition = self.table.definitions.get(name)
        self.colours.explain(scale, "" if definition is None else definition.unit)
        if not self.views.colour_by(name, frame["label"].to_numpy(np.int64), values, scale):
            show_info("There are no particles in the viewer to colour.")

    def _show_choice(self, by: object) -> None:
        count = len(self.choice)
        self.chosen.setText(f"{count:,} chosen" if count else "")
        self.forget.setVisible(count > 0)
        self._show_only()
        if count == 1 and layers.PARTICLES_LAYER in self.viewer.layers:
            label = int(self.choice.labels[0])
            self.viewer.layers[layers.PARTICLES_LAYER].selected_label = label

    def _show_only(self) -> None:
        """Outline the chosen; with the box ticked nothing but them is seen."""
        only = self.only.isChecked()
        several = len(self.choice) > 1
        self.views.show_chosen(self.choice.labels, filled=only and several)
        particles = self.views.particles
        if particles is not None:
            particles.show_selected_label = only and not several
            if several and only:
                particles.visible = False

    def go_to(self, label: int) -> None:
        """Take the viewer to a particle and choose it."""
        if self.tables is None:
            return
        frame = self.tables.particles.frame
        rows = frame[frame["label"] == label]
        if rows.empty:
            return
        self.link.go_to(rows.iloc[0])
        self.choice.set([label])
        self.session.particle_chosen.emit(label, True)

    def choose(self, label: int) -> None:
        """Mark a particle everywhere; the viewer stays where it is."""
        if self.session.hand or self.session.clicks_choose:
            return  # the click is for a tool, or the proofreading dock chooses by it
        self.choice.set([label])
        self.session.particle_chosen.emit(label, False)

    def mark_row(self, label: int) -> None:
        """Mark the row of the particle under the mouse, without choosing it."""
        self.model.point_at(label)
        self.view.show_row(label)

    def chosen_label(self) -> int | None:
        """The chosen particle, the first of several."""
        return int(self.choice.labels[0]) if len(self.choice) else None

    def _save_table(self) -> None:
        project = self.session.project
        if project is None or self.table is None:
            show_error("There is no table yet: measure first.")
            return
        path, _ = QFileDialog.getSaveFileName(self, "Save table", "particles.csv", "CSV (*.csv)")
        if not path:
            return
        try:
            io.write_frame(path, self.model.frame)
            definitions = (project.tables / "particles.csv").with_suffix(".json")
            shutil.copyfile(definitions, Path(path).with_suffix(".json"))
        except OSError as error:
            show_error(f"{path} could not be written: {error.strerror}.")
            return
        show_info(f"Saved {len(self.model.frame):,} rows as {path}, and their definitions.")

    def closeEvent(self, event: object) -> None:
        """Stop listening to the viewer, and what runs."""
        self.shut()
        super().closeEvent(event)

    def shut(self) -> None:
        """Let go of the viewer and of the threads."""
        if self._closed:
            return
        self._closed = True
        self.link.close()
        self.session.project_changed.disconnect(self._project_changed)
        self.session.results_changed.disconnect(self._results_changed)
        self.session.shows_choice = False
        self.following.close()
        self.choice.changed.disconnect(self._show_choice)
        self.gallery.close_down()
        self.latest.close()
        self.statistics.close()


def _is_stale(project: Project) -> bool:
    try:
        return STEPS["measure"].state(project) != "done"
    except SlagsegError:  # a part is damaged, which the workflow dock tells
        return True


__all__ = ["MeasureDock"]
