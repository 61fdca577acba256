"""The proofreading dock: tools on top, what to do next, and below it suspects and edits."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from napari.utils.notifications import show_error
from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QCheckBox,
    QDialog,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from napari_slagseg.data import SlagsegError, Triple
from napari_slagseg.widgets import layers
from napari_slagseg.widgets.proofreading.brush import Brush
from napari_slagseg.widgets.proofreading.chosen_line import chosen_in_words
from napari_slagseg.widgets.proofreading.desk import desk_of
from napari_slagseg.widgets.proofreading.edits import edit_of_chosen, edit_of_mask, edit_of_placed
from napari_slagseg.widgets.proofreading.hand import Hand
from napari_slagseg.widgets.proofreading.highlight import Highlight
from napari_slagseg.widgets.proofreading.history_list import HistoryList
from napari_slagseg.widgets.proofreading.keys import KeyBinder, keys_in_help, shortcuts_in
from napari_slagseg.widgets.proofreading.mask import Mask
from napari_slagseg.widgets.proofreading.options import Options
from napari_slagseg.widgets.proofreading.panels import Panels, scrolled
from napari_slagseg.widgets.proofreading.tool_bar import ToolBar
from napari_slagseg.widgets.proofreading.tools import BRUSHING, CHOOSING, Tool, tool_named

if TYPE_CHECKING:
    import napari
    from napari.layers import Labels

    from napari_slagseg.widgets.runner import StepRunner
    from napari_slagseg.workflow.proofreading import Outcome, Proofreader

_ERROR = "#d55e00"
_OF_SUSPECTS = ("next", "previous", "accept", "fix", "skip")


class ProofreadDock(QWidget):
    """Corrects particles and phases in the viewer; every edit can be undone.

    Parameters
    ----------
    napari_viewer : napari.Viewer
    """

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__()
        self.viewer = napari_viewer
        self.desk = desk_of(napari_viewer)
        self.session = self.desk.session
        self._closed = False
        self._runner: StepRunner | None = None
        self._help: QDialog | None = None
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumWidth(400)
        self.hand = Hand(self.desk, self)
        self.brush = Brush(self.desk, self)
        self.mask = Mask(self.desk, self)
        self.highlight = Highlight(self.desk, self)
        self.keys = KeyBinder(napari_viewer, self.act)
        self.bar = ToolBar(napari_viewer)
        self.options = Options()
        self.history = HistoryList(self.desk)
        self.panels = Panels(self.desk)
        self.tabs = QTabWidget()
        self._lay_out()
        self._connect()
        self.shortcuts = shortcuts_in(self, self.act)
        self.desk.open()
        self.begin()
        self._opened(self.desk.proofreader)

    def _lay_out(self) -> None:
        self.about = QLabel("Open a project to begin.")
        self.help = QPushButton("Keys")
        self.help.setToolTip("all keys and clicks of proofreading")
        self.help.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.busy = QProgressBar()
        self.busy.setRange(0, 0)
        self.busy.setTextVisible(False)
        self.busy.setFixedSize(50, 10)
        self.busy.setToolTip("edits are being done; you can go on")
        keep = self.busy.sizePolicy()
        keep.setRetainSizeWhenHidden(True)
        self.busy.setSizePolicy(keep)
        self.busy.hide()
        self.next = QLabel(CHOOSING)
        self.next.setWordWrap(True)
        self.next.setTextFormat(Qt.TextFormat.RichText)
        self.next.setMinimumHeight(3 * self.fontMetrics().height())
        self.next.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft)
        self.chosen = QLabel()
        self.chosen.setWordWrap(True)
        self.under = QLabel()
        self.dim = QCheckBox("Dim the others")
        self.dim.setToolTip("show the particles that are not chosen paler")
        self.dim.setChecked(True)
        self.dim.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        head, about = QHBoxLayout(), QHBoxLayout()
        head.addWidget(self.about, 1)
        head.addWidget(self.busy)
        head.addWidget(self.help)
        about.addWidget(self.chosen, 1)
        about.addWidget(self.dim)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 4, 6, 4)
        layout.setSpacing(4)
        layout.addLayout(head)
        layout.addWidget(self.bar)
        layout.addWidget(self.next)
        layout.addWidget(self.options)
        layout.addLayout(about)
        layout.addWidget(self.under)
        layout.addWidget(self.tabs, 1)
        self.tabs.addTab(self.panels.suspects, "Suspects")
        self.tabs.addTab(self.history, "Edits")
        self.tabs.addTab(scrolled(self.panels.teach), "Teach")

    def _connect(self) -> None:
        self.bar.asked.connect(self.act)
        self.help.clicked.connect(self.show_keys)
        self.dim.toggled.connect(self.highlight.dim_others)
        self.hand.ready.connect(self._placed)
        self.hand.changed.connect(self._say_next)
        self.hand.told.connect(self.say)
        self.hand.over.connect(self._over)
        self.options.changed.connect(self._option_changed)
        self.brush.opened.connect(self._brush_opened)
        self.brush.closed.connect(self._say_next)
        self.mask.opened.connect(self._mask_opened)
        self.mask.closed.connect(self._say_next)
        self.desk.opened.connect(self._opened)
        self.desk.failed.connect(self.say_error)
        self.desk.told.connect(self.say)
        self.desk.busy.connect(self.busy.setVisible)
        self.desk.may_change.connect(self._allow)
        self.desk.outcome.connect(self._done)
        self.desk.choice.changed.connect(self._say_chosen)
        for panel in self.panels.all:
            panel.run_asked.connect(self._run)
            panel.failed.connect(self.say_error)
        self.panels.teach.told.connect(self.say)
        self.viewer.layers.events.inserted.connect(self._layer_added)
        self.viewer.events.theme.connect(self._theme_changed)

    # -- the project -------------------------------------------------------------

    def begin(self) -> None:
        """Take keys and clicks: the dock is open."""
        self.session.clicks_choose = True
        self.hand.listen(True)
        self.keys.begin()
        for name in (layers.PARTICLES_LAYER, layers.PHASES_LAYER):
            if name in self.viewer.layers:
                self.keys.follow(self.viewer.layers[name])
        if layers.PARTICLES_LAYER in self.viewer.layers:
            particles = self.viewer.layers[layers.PARTICLES_LAYER]
            particles.visible = True
            self.viewer.layers.selection.active = particles

    def _layer_added(self, event: object) -> None:
        layer = event.value
        if layer.name in (layers.PARTICLES_LAYER, layers.PHASES_LAYER) and self.keys.on:
            self.keys.follow(layer)

    def _theme_changed(self, _: object) -> None:
        self.bar.recolour(str(self.viewer.theme))

    def _opened(self, proofreader: Proofreader | None) -> None:
        self.hand.drop()
        if proofreader is not None:
            self.options.set_table(proofreader.table)
        self._allow()
        self._say_about()
        self._say_chosen()
        self._say_next()

    def _allow(self) -> None:
        why = self.desk.refusal
        self.bar.allow(not why, why)
        self._say_next()

    def _done(self, outcome: Outcome) -> None:
        self._say_about()
        self._say_chosen()
        seconds = f" ({1000 * outcome.seconds:.0f} ms)" if outcome.seconds else ""
        verb = {"do": "Done", "undo": "Undone", "redo": "Done again"}[outcome.step]
        kinds = ", ".join(dict.fromkeys(a.kind.replace("_", " ") for a in outcome.actions))
        self.next.setToolTip(f"{verb}: {kinds}{seconds}")
        self._say_next()

    # -- actions -----------------------------------------------------------------

    def act(self, action: str) -> None:
        """Do what a key or a button is for."""
        tool = tool_named(action)
        if tool is not None:
            self._take(tool)
        elif action in _OF_SUSPECTS:
            self._to_suspects(action)
        else:
            getattr(self, f"_{action}")()

    def _to_suspects(self, action: str) -> None:
        self._give_up_tool()
        if not self.panels.to_suspects(action):
            self.say("The suspects were not looked for yet: press 'Find suspects' below.")

    def _run(self, steps: list) -> None:
        """Run steps as the workflow dock does, with its progress bar and its button to cancel."""
        from napari_slagseg.widgets.launch import add_workflow_dock

        workflow = add_workflow_dock(self.viewer)
        self.follow_runner(workflow.runner)
        workflow.run(steps)

    def follow_runner(self, runner: StepRunner) -> None:
        """Show in the panels what a running step tells."""
        teach = self.panels.teach
        if self._runner is not runner:
            self._runner = runner
            runner.started.connect(teach.begin)
            runner.progressed.connect(teach.follow)

    def _take(self, tool: Tool) -> None:
        """Take a tool, lay it down if it is in the hand, or use it at once."""
        if self.desk.refusal:
            self.say_error(self.desk.refusal)
        elif tool in (self.hand.tool, self.mask.tool):
            self._give_up_tool()
        elif tool.needs == "chosen":
            self.options.show_tool(tool.name)
            self._do_to_chosen(tool)
        elif tool.needs == "particles" and len(self.desk.chosen) > 1:
            self.options.show_tool(tool.name)
            self._placed(tool, ())
        else:
            self._give_up_tool()
            self.brush.close()
            if tool.needs == "paint":
                self._attempt(lambda: self.mask.open(tool))
            else:
                self._look_at_particles()
                self.hand.take(tool)

    def _do_to_chosen(self, tool: Tool) -> None:
        proofreader = self.desk.proofreader
        assert proofreader is not None
        options, chosen = self.options.of(tool.name), self.desk.chosen
        self._attempt(
            lambda: self.desk.do(tool.name, edit_of_chosen(tool.name, proofreader, chosen, options))
        )

    def _placed(self, tool: Tool, placed: tuple[Triple, ...]) -> None:
        proofreader = self.desk.proofreader
        if proofreader is None:
            self.say_error(self.desk.refusal)
            return
        edit = (self.desk.chosen, placed, self.hand.across, self.options.of(tool.name))
        self._attempt(
            lambda: self.desk.do(tool.name, edit_of_placed(tool.name, proofreader, *edit))
        )

    def _apply(self) -> None:
        if self.mask.tool is not None:
            self._attempt(self._do_painted)
        else:
            self.hand.apply()

    def _do_painted(self) -> None:
        tool, proofreader = self.mask.tool, self.desk.proofreader
        assert tool is not None
        assert proofreader is not None
        start, mask = self.mask.painted()
        options = self.options.of(tool.name)
        edit = edit_of_mask(tool.name, proofreader, self.desk.chosen, start, mask, options)
        if self.desk.do(tool.name, edit):
            self.mask.close()
            self._look_at_particles()

    def _give_up(self) -> None:
        """Esc: first the tool, then the choice."""
        if self.hand.tool is None and self.mask.tool is None and self.brush.layer is None:
            self.desk.choice.clear()
        self._give_up_tool()
        self.brush.close()
        self._look_at_particles()
        self._say_next()

    def _give_up_tool(self) -> None:
        self.hand.drop()
        self.mask.close()

    def _brush(self) -> None:
        if self.brush.layer is not None:
            self.brush.close()
            self._look_at_particles()
            return
        self._give_up_tool()
        self._attempt(lambda: self.brush.open(self.options.of("brush")["array"]))

    def _new_label(self) -> None:
        if self.brush.layer is None:
            self.say("A new number is for the brush: open it first (I).")
        self.brush.new_label()

    def _undo(self) -> None:
        self.brush.flush()
        if not self.hand.take_back():
            self.desk.undo()

    def _redo(self) -> None:
        self.brush.flush()
        self.desk.redo()

    def _frame(self) -> None:
        proofreader, chosen = self.desk.proofreader, self.desk.chosen
        if proofreader is None or not chosen:
            self.say("Choose a particle first: click on it.")
            return
        try:
            box = proofreader.box_of(chosen[0])
        except SlagsegError as error:
            self.say_error(str(error))
            return
        self.desk.go_to([(b.start + b.stop - 1) / 2 for b in box], box)

    def _attempt(self, job: object) -> None:
        """Do something that may be refused, and tell why it was."""
        try:
            job()
        except SlagsegError as error:
            self.say_error(str(error))

    def _option_changed(self, tool: str) -> None:
        if tool != "brush":
            return
        options = self.options.of("brush")
        self.brush.phase = options["phase"]
        if self.brush.layer is not None and options["array"] != self.brush.array:
            self._attempt(lambda: self.brush.open(options["array"]))

    def _look_at_particles(self) -> None:
        """Make the particles' layer the active one: clicks and keys are for them."""
        if layers.PARTICLES_LAYER in self.viewer.layers:
            self.viewer.layers.selection.active = self.viewer.layers[layers.PARTICLES_LAYER]

    def _brush_opened(self, layer: Labels) -> None:
        self.keys.follow(layer, "brush")
        self._say_next()

    def _mask_opened(self, layer: Labels) -> None:
        self.keys.follow(layer, "mask")
        self._say_next()

    # -- words -------------------------------------------------------------------

    def _say_about(self) -> None:
        proofreader = self.desk.proofreader
        if proofreader is None:
            self.about.setText(f"<i>{escape(self.desk.refusal or 'A moment…')}</i>")
            return
        count, edits = self.desk.particles, proofreader.history.count
        self.about.setText(
            f"<b>{count:,} particle{'' if count == 1 else 's'}</b>, {edits:,} "
            f"edit{'' if edits == 1 else 's'}"
        )

    def _say_next(self) -> None:
        """One line on what to do next; the tool in the hand, and its options."""
        if self._closed:
            return
        refused = self.desk.refusal
        tool = self.hand.tool or self.mask.tool
        brushing = self.brush.layer is not None
        text = tool.next if tool is not None else BRUSHING if brushing else CHOOSING
        placed = len(self.hand.placed)
        if tool is not None and tool.needs == "points" and placed:
            text = f"{placed} point{'' if placed == 1 else 's'}. {text}"
        if tool is not None and tool.needs == "particles":
            text = f"{len(self.desk.chosen)} chosen. {text}"
        self.next.setText(escape(refused or text))
        name = tool.name if tool is not None else "brush" if brushing else ""
        self.bar.press(name)
        if name:
            self.options.show_tool(name)

    def say(self, text: str) -> None:
        """Tell something in the line on what to do next."""
        self.next.setText(escape(text))

    def say_error(self, text: str) -> None:
        """Show what went wrong, in the dock and as a notice."""
        self.next.setText(f"<span style='color:{_ERROR}'>{escape(text)}</span>")
        show_error(text)

    def _say_chosen(self, _: object = None) -> None:
        self.chosen.setText(chosen_in_words(self.desk))

    def _over(self, label: int) -> None:
        self.under.setText(f"Under the mouse: particle {label}" if label else "")

    def show_keys(self) -> None:
        """All keys, in a window that can stay open."""
        if self._help is None:
            self._help = dialog = QDialog(self)
            dialog.setWindowTitle("Keys of proofreading")
            text = QLabel(keys_in_help())
            text.setTextFormat(Qt.TextFormat.RichText)
            QVBoxLayout(dialog).addWidget(text)
        self._help.show()
        self._help.raise_()

    # -- the end -------------------------------------------------------------------

    def follow_closing(self, visible: bool) -> None:
        """Leave keys and clicks to napari while the dock is closed, but not behind a tab."""
        frame = self.parent()
        if visible and not self._closed:
            self.begin()
        elif frame is not None and frame.isHidden():
            self.end()

    def end(self) -> None:
        """Give keys and clicks back; what was begun is given up, what was done stays."""
        self.session.clicks_choose = False
        self._give_up_tool()
        self.brush.close()
        self.hand.listen(False)
        self.keys.end()
        self.highlight.end()

    def closeEvent(self, event: object) -> None:
        """Let go of the viewer."""
        self.shut()
        super().closeEvent(event)

    def shut(self) -> None:
        """Let go of the viewer and finish the edits."""
        if self._closed:
            return
        self.end()
        self._closed = True
        self.panels.close_down()
        self.viewer.layers.events.inserted.disconnect(self._layer_added)
        self.viewer.events.theme.disconnect(self._theme_changed)
        self.desk.finish()


__all__ = ["ProofreadDock"]
