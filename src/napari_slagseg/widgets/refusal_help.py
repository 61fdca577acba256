"""What to do about a map that was refused: why it was, and the three things that help."""

from __future__ import annotations

from html import escape

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QFrame,
    QGridLayout,
    QLabel,
    QMenu,
    QPushButton,
    QTextBrowser,
    QVBoxLayout,
    QWidget,
)

from napari_slagseg.data import PlacedMap

WINDOW_SLICES = 30
"""A height window reaches so many slices to both sides of the one that is shown."""

_IN_WORDS = {
    "correlation": "At the best place found, map and CT still look too little alike.",
    "second_place": "Two different places fit nearly equally well, so neither can be trusted.",
    "cutouts": "Too few parts of the map agree on one smooth surface.",
    "small": "The map is so small that a wrong place can look right.",
    "doubt": "All in all too little speaks for the best place found.",
    "probability": "It is too unlikely that the map lies at the best place found.",
    "nothing": "No place was found that fits at all.",
}

HELP = """
<h3>When a map will not go in</h3>
<p>A map is refused rather than put where it might be wrong: labels from a wrong place
would teach the networks nonsense. Nothing of it enters the ground truth. Three things help,
each on its own:</p>
<ol>
<li><b>A height window.</b> Move the main viewer to about the slice where the map should be
and press <i>Height from this slice</i>. The search then leaves out everything else, and a
second place that looked alike elsewhere no longer competes.</li>
<li><b>Landmarks.</b> Three places that you see in both, a large grain or an odd outline,
clicked in map and CT by turns. Twenty voxels off is good enough: the fit finds the rest.</li>
<li><b>The mirror state.</b> If you know whether the polished face was looked at from above or
from below, say so. That halves the search.</li>
</ol>
<p>If none of them helps, check that the map belongs to this sample, that its pixel size and
the CT's voxel size are not exchanged, and that the legend names the right colours.</p>
<p>The same with pictures: <i>How to &gt; When a map will not go in</i> in the documentation
(docs/how-to/map-will-not-go-in.md).</p>
"""


def why_refused(placed: PlacedMap) -> list[tuple[str, str]]:
    """Reasons of a refusal: each in plain words, and with the program's own numbers.

    Returns
    -------
    reasons : list of (str, str)
        Without markup; the second is "" where there are no numbers.
    """
    reasons = []
    for entry in placed.details.get("refused_because") or []:
        text = str(entry.get("text", "")).strip()
        words = _IN_WORDS.get(str(entry.get("kind", "")), "")
        if words or text:
            reasons.append((words, text) if words else (text[:1].upper() + text[1:], ""))
    return reasons or [(placed.reason or "No reason was noted. Place the map again.", "")]


class RefusalHelp(QFrame):
    """Why a map was refused, with a button for each thing that helps.

    Signals
    -------
    height_asked, landmarks_asked, search_asked : ()
    mirror_asked : (str)
        "yes", "no" or "auto".
    """

    height_asked = Signal()
    landmarks_asked = Signal()
    mirror_asked = Signal(str)
    search_asked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFrameShape(QFrame.Shape.StyledPanel)
        self.why = QLabel()
        self.why.setWordWrap(True)
        self.height = QPushButton("Height from this slice")
        self.height.setToolTip(
            f"look only within {WINDOW_SLICES} slices of the one in the main viewer"
        )
        self.height.clicked.connect(self.height_asked)
        self.landmarks = QPushButton("Set landmarks")
        self.landmarks.setToolTip("click three places in map and CT by turns")
        self.landmarks.clicked.connect(self.landmarks_asked)
        self.mirror = QPushButton("Mirror state")
        self.mirror.setToolTip("say whether the map is mirrored")
        menu = QMenu(self.mirror)
        for text, value in (
            ("The map is mirrored", "yes"),
            ("The map is not mirrored", "no"),
            ("Not known: try both", "auto"),
        ):
            action = menu.addAction(text)
            action.triggered.connect(lambda _=False, v=value: self.mirror_asked.emit(v))
        self.mirror.setMenu(menu)
        self.search = QPushButton("Search this map again")
        self.search.setToolTip("with the settings above")
        self.search.clicked.connect(self.search_asked)
        self.more = QPushButton("What to do…")
        self.more.setProperty("reads_only", True)
        self.more.clicked.connect(self.explain)
        self.done = QLabel()
        self.done.setWordWrap(True)
        grid = QGridLayout()
        grid.addWidget(self.height, 0, 0)
        grid.addWidget(self.landmarks, 0, 1)
        grid.addWidget(self.mirror, 1, 0)
        grid.addWidget(self.more, 1, 1)
        layout = QVBoxLayout(self)
        layout.addWidget(self.why)
        layout.addWidget(self.done)
        layout.addLayout(grid)
        grid.addWidget(self.search, 2, 0, 1, 2)
        self.setVisible(False)

    def show_map(self, placed: PlacedMap | None) -> None:
        """Show the reasons for a refused map; nothing for others."""
        refused = placed is not None and not placed.placed
        self.setVisible(refused)
        self.say("")
        if refused:
            found = why_refused(placed)
            reasons = "".join(f"<li>{escape(words)}</li>" for words, _ in found)
            self.why.setToolTip("\n".join(numbers for _, numbers in found if numbers))
            self.why.setText(
                f"<b>{escape(placed.map_name)} was refused.</b><ul style='margin-left:-24px'>"
                f"{reasons}</ul>One of these helps:"
            )

    def say(self, text: str) -> None:
        """Tell what was set."""
        self.done.setText(f"<b>{text}</b> Now search this map again." if text else "")
        self.done.setVisible(bool(text))

    def explain(self) -> QDialog:
        """Open the explanation beside the window."""
        dialog = QDialog(self)
        dialog.setWindowTitle("When a map will not go in")
        dialog.resize(520, 480)
        text = QTextBrowser()
        text.setHtml(HELP)
        close = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        close.rejected.connect(dialog.reject)
        layout = QVBoxLayout(dialog)
        layout.addWidget(text)
        layout.addWidget(close)
        dialog.show()
        return dialog


__all__ = ["HELP", "WINDOW_SLICES", "RefusalHelp", "why_refused"]
