"""Page 7: measure the particles and report."""

from __future__ import annotations

from napari_slagseg.widgets.block_step_page import BlockStepPage
from napari_slagseg.widgets.session import Session
from napari_slagseg.widgets.step_page import RunList
from napari_slagseg.workflow import STEPS


class MeasurePage(BlockStepPage):
    """Measuring and reporting belong to one button."""

    def __init__(self, session: Session) -> None:
        super().__init__(
            session,
            STEPS["measure"],
            "One row a particle: size, shape, composition, liberation; the same for virtual "
            "sections and for the maps; curves, figures and a report.",
            basic=("target",),
            button="Measure and report",
        )

    def steps_to_run(self) -> RunList:
        """Measure, then report."""
        return [*super().steps_to_run(), ("report", None)]

    def step_names(self) -> tuple[str, ...]:
        """Both steps."""
        return ("measure", "report")


__all__ = ["MeasurePage"]
