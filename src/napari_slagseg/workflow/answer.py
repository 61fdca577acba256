"""The user's word on a proposed segmentation, as a step: it may have edits to carry over."""

from __future__ import annotations

from napari_slagseg.data import CancelToken, Progress
from napari_slagseg.project import Project
from napari_slagseg.workflow.configs import ProposalConfig
from napari_slagseg.workflow.step import Step, StepResult


def run(
    project: Project, config: ProposalConfig, progress: Progress, cancel: CancelToken | None
) -> StepResult:
    """Take the proposed segmentation, or keep the one there is."""
    # imports numba, which asking for help must not wait for
    from napari_slagseg.workflow.proofreading.proposing import accept_proposal, discard_proposal

    if config.answer == "keep":
        kept = discard_proposal(project)
        return StepResult(
            summary={"answer": "keep", "network": kept},
            message="The segmentation stays as it was, and so does the network that 'segment' "
            f"uses. The one that was taught lies in {kept}.",
        )
    found = accept_proposal(project, progress, cancel)
    n = sum(found["carried"]["conflicts"].values())
    return StepResult(
        summary={
            "answer": "take",
            **{name: found[name] for name in ("correction", "carried", "scores", "changes")},
        },
        message=f"The new segmentation is the project's now, with {n:,} "
        f"conflict{'' if n == 1 else 's'} to look at. The one before is kept as "
        "segmentation.before.zarr.",
    )


STEP = Step(
    name="proposal",
    on_request=True,
    title="Take or keep",
    config=ProposalConfig,
    run=run,
    inputs=lambda project: {"made": str(project.proposal.found()["made"])},
    exists=lambda project: project.record("proposal") is not None,
)

__all__ = ["STEP", "run"]
