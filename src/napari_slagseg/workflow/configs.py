"""Configurations of the steps: the one list of what a user can set.

The window builds its forms from these, the terminal its options, a project its
records. Every field has a default (the paper's where the paper has one) and a
description in the user's words.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from napari_slagseg.data import SlagsegError

Fraction = Annotated[float, Field(ge=0, le=1)]

USUAL_TRUST = 0.2
"""Score of a suspect from which on a particle that nobody looked at does not teach."""


class StepConfig(BaseModel):
    """Base of all step configurations: frozen, no unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def lasting(self) -> Self:
        """What of it is kept for the next run: all but what was asked for once."""
        return self


class RegisterConfig(StepConfig):
    """Place the mineral maps in the CT."""

    height_low: float | None = Field(
        default=None, description="lowest CT slice at which the map's centre may lie"
    )
    height_high: float | None = Field(
        default=None, description="highest CT slice at which the map's centre may lie"
    )
    angle: float | None = Field(
        default=None, description="rotation of the map in the CT's plane in degrees, if known"
    )
    mirror: Literal["auto", "yes", "no"] = Field(
        default="auto", description="whether the maps are mirrored; auto tries both"
    )
    maps: tuple[str, ...] = Field(
        default=(), description="names of the maps to place; none given: all"
    )
    size_tolerance: float | None = Field(
        default=None,
        gt=0,
        le=0.5,
        description="how wrong the map's pixel size may be, as a share of it (0.05: 5 %); none "
        "given: 0.03",
    )
    field_rows: int | None = Field(
        default=None,
        gt=0,
        description="map pixels along the rows of the fields that a stitched map is made of; "
        "none given: the map counts as one piece",
    )
    field_columns: int | None = Field(
        default=None, gt=0, description="map pixels along the columns of those fields"
    )
    start: Literal["search", "here"] = Field(
        default="search",
        description="search the whole CT, or fit again from here: from the stored placement, as it "
        "was nudged",
    )
    cutouts: tuple[int, ...] = Field(
        default=(),
        description="with start from here: numbers of the cutouts to register again, the others "
        "stay as they are; none given: all",
    )
    device: str = Field(
        default="auto",
        description="where the coarse search computes: auto (a GPU if there is one), cpu or cuda",
    )
    seed: int = Field(default=0, ge=0, description="seed of the random choices")
    again: bool = Field(default=False, description="place maps again that are placed already")

    @model_validator(mode="after")
    def _together(self) -> RegisterConfig:
        if (self.height_low is None) != (self.height_high is None):
            raise SlagsegError("Give both ends of the height window, or neither.")
        low, high = self.height_low, self.height_high
        # not "low >= high": NaN is neither
        if low is not None and high is not None and not low < high:
            raise SlagsegError(
                f"The height window {low:g} to {high:g} is empty: "
                "the first number must be the smaller one."
            )
        if self.angle is not None and not math.isfinite(self.angle):
            raise SlagsegError(f"The angle is {self.angle}; it must be a number of degrees.")
        if (self.field_rows is None) != (self.field_columns is None):
            raise SlagsegError("Give both the rows and the columns of the fields, or neither.")
        if self.cutouts and self.start != "here":
            raise SlagsegError(
                "Single cutouts can be registered again only from here, where the map lies "
                "already: a search looks for the whole map."
            )
        return self

    @property
    def height_window(self) -> tuple[float, float] | None:
        """CT slices between which a map's centre may lie."""
        if self.height_low is None or self.height_high is None:
            return None
        return (self.height_low, self.height_high)

    @property
    def field_size(self) -> tuple[int, int] | None:
        """Map pixels (rows, columns) of the fields of a stitched map."""
        if self.field_rows is None or self.field_columns is None:
            return None
        return (self.field_rows, self.field_columns)

    def lasting(self) -> Self:
        """Fitting from here is asked for once; whoever runs the step later means a search."""
        return self.model_copy(update={"start": "search", "cutouts": ()})


class AnnotateConfig(StepConfig):
    """Turn the placed maps into sparse ground truth."""

    follow: Literal["surface", "cutouts"] = Field(
        default="surface",
        description="lay the labels on the smooth surface, or on each cutout's own plane",
    )
    group: bool = Field(
        default=True, description="train on the legend's groups instead of every phase"
    )
    lambda_background: float = Field(
        default=0.013, ge=0, description="weight of background voxels (K Eq. 2)"
    )
    lambda_foreground: float | None = Field(
        default=None,
        gt=0,
        description="weight of particle voxels (K Eq. 2: 0.04); none given: such that particles "
        "and background have the same total weight",
    )
    border_reach: float = Field(
        default=5.0,
        gt=0,
        description="voxels up to which a second particle counts as near (K Eq. 2)",
    )
    balance_phases: Fraction = Field(
        default=0.0,
        description="how far rare phases are made to weigh as much as common ones: 0 not at all "
        "(K), 1 wholly; for short trainings, which miss rare phases otherwise",
    )
    trust_borders: bool = Field(
        default=False,
        description="let weights fall towards the boundaries of phases and particles, as far as "
        "the map's place is uncertain there",
    )
    hold_out: Literal["auto", "map", "cutouts", "none"] = Field(
        default="auto",
        description="what is kept from training to check the networks: "
        "a whole map, one side of every map (cutouts), or nothing; auto takes a map where "
        "three are placed",
    )
    held_out_map: str | None = Field(
        default=None, description="which map to hold out; none given: the last placed one"
    )
    held_out_share: Fraction = Field(
        default=0.2,
        description="share of each map that is held out, on one side of a line, where no whole "
        "map is",
    )
    seed: int = Field(default=0, ge=0, description="seed of the directions of those lines")


class TrainConfig(StepConfig):
    """Train one network on the ground truth."""

    size: Literal["paper", "small", "tiny"] = Field(
        default="paper", description="width of the network: the paper's, half or a quarter of it"
    )
    epochs: int | None = Field(
        default=None,
        gt=0,
        description="epochs; none given: the paper's (150; particle network 100, then 150)",
    )
    steps: int = Field(default=100, gt=0, description="training steps an epoch")
    batch: int = Field(default=4, gt=0, description="patches a step")
    accumulate: int = Field(
        default=1,
        gt=0,
        description="parts in which a step's patches are computed one after another, where a GPU's "
        "memory does not hold all at once; more are taken by themselves where it runs out",
    )
    patch: int = Field(default=96, ge=16, multiple_of=8, description="edge of a patch in voxels")
    patch_depth: int | None = Field(
        default=None,
        ge=16,
        multiple_of=8,
        description="its edge along z; none given: that of the others. Maps lie nearly flat, so a "
        "shallow patch holds more known voxels for its size, but is turned about z only",
    )
    learning_rate: float = Field(default=1e-4, gt=0, description="learning rate of Adam")
    decay: bool = Field(
        default=False, description="let the learning rate fall to nearly nothing by the end"
    )
    gamma: float = Field(default=2.0, ge=0, description="focusing parameter of the focal loss")
    mirrors: bool = Field(default=False, description="also train on mirror images")
    grey_shift: int = Field(
        default=10, ge=0, description="largest random shift of the 8-bit grey values"
    )
    elastic: bool | None = Field(
        default=None, description="elastic deformation; none given: for the particle network only"
    )
    teacher: str | None = Field(
        default=None,
        description="run to learn from besides the maps, for a smaller network: run_1, say, or "
        "latest for the latest run of a wider network; none given: learn from the maps alone",
    )
    teacher_share: Fraction = Field(
        default=0.9, description="how much the teacher counts beside the maps, from 0 to 1"
    )
    temperature: float = Field(
        default=2.0, gt=0, description="temperature at which network and teacher are compared"
    )
    device: str = Field(default="auto", description="auto, cpu or cuda")
    precision: Literal["auto", "fp32", "bf16", "fp16"] = Field(
        default="auto",
        description="bits of the convolutions; auto: 16 on a GPU, 32 on a CPU",
    )
    threads: int | None = Field(default=None, gt=0, description="CPU threads; none given: all")
    loaders: int | None = Field(
        default=None,
        ge=0,
        description="threads that make patches ahead; none given: 1, beside a GPU up to 8",
    )
    cache_gb: float = Field(
        default=2.0, gt=0, description="memory for the parts of the CT that patches touch, in GB"
    )
    seed: int = Field(default=0, ge=0, description="seed of weights, patches and augmentation")

    @model_validator(mode="after")
    def _no_more_parts_than_patches(self) -> TrainConfig:
        if self.accumulate > self.batch:
            raise SlagsegError(
                f"A step of {self.batch} patches cannot be computed in {self.accumulate} parts. "
                "Accumulate over no more parts than there are patches in a batch."
            )
        return self


QUICK_TRAINING: Mapping[str, Any] = {
    "size": "tiny",
    "epochs": 40,
    "steps": 25,
    "batch": 2,
    "patch": 64,
    "patch_depth": 24,
    "learning_rate": 5e-3,
    "decay": True,
    "mirrors": True,
    # shifts as large as the paper's hide small steps between minerals for long
    "grey_shift": 2,
    "elastic": False,
}
"""Values of `TrainConfig` for a training of minutes on a CPU: for a first look, not for a paper."""


class SegmentConfig(StepConfig):
    """Predict phases and particles everywhere."""

    threshold: Annotated[float, Field(gt=0, lt=1)] | None = Field(
        default=None,
        description="particle probability above which a voxel is part of a marker; none given: "
        "the one that separates the particles of the project's maps best, without maps 0.5 (K)",
    )
    minimum_voxels: int = Field(default=100, ge=0, description="smaller particles are removed")
    tile: int | None = Field(
        default=None,
        ge=16,
        multiple_of=8,
        description="edge of a tile in voxels (volumes longer than 256: one that divides 256); "
        "none given: chosen",
    )
    halo: int | None = Field(
        default=None,
        ge=0,
        multiple_of=8,
        description="context around a tile in voxels; none given: chosen",
    )
    average: bool = Field(
        default=False, description="average overlapping tiles with a Gaussian window"
    )
    mirrored: bool = Field(
        default=False, description="average over mirrored passes (eight times slower)"
    )
    phase_run: str | None = Field(
        default=None,
        description="training run of the phase network, such as run_1; none given: the latest",
    )
    particle_run: str | None = Field(
        default=None,
        description="training run of the particle network; none given: the latest",
    )
    ensemble: int = Field(
        default=1,
        ge=1,
        description="how many of each network's newest trainings are averaged; the time grows as "
        "much",
    )
    engine: Literal["auto", "torch", "openvino"] = Field(
        default="auto",
        description="what computes the networks: openvino (CPUs, faster), torch, or auto",
    )
    precision: Literal["auto", "fp32", "bf16", "fp16"] = Field(
        default="auto",
        description="of the networks' features; auto takes bf16 where the device computes in it",
    )
    device: str = Field(default="auto", description="auto, cpu or cuda")
    threads: int | None = Field(default=None, gt=0, description="CPU threads; none given: all")


class SuspectsConfig(StepConfig):
    """Find what is likeliest to be wrong in the segmentation."""

    missed: bool = Field(
        default=True,
        description="look for particles that were missed, too: mineral that belongs to none",
    )
    smallest_missed: int | None = Field(
        default=None,
        ge=1,
        description="voxels from which on such a piece counts; none given: as many as the "
        "smallest particle has",
    )


class TeachConfig(StepConfig):
    """Train the particle network on hand edits and propose a new segmentation."""

    particle_run: str | None = Field(
        default=None,
        description="training run of the particle network to start from, such as run_1; none "
        "given: the one that the segmentation was made with",
    )
    epochs: int | None = Field(
        default=None,
        gt=0,
        description="epochs; none given: as many as the network was trained for (paper: 150)",
    )
    steps: int | None = Field(
        default=None,
        gt=0,
        description="training steps an epoch; none given: as the network was trained",
    )
    learning_rate: float | None = Field(
        default=None,
        gt=0,
        description="learning rate of Adam; none given: that of the network's training, but 3e-3 "
        "at most",
    )
    focus: Fraction = Field(
        default=0.5,
        description="share of the training's patches that are drawn around corrections; the "
        "others are drawn around all known voxels alike",
    )
    remember: Fraction = Field(
        default=0.0,
        description="how much the network as it was counts as a teacher beside what is known; it "
        "holds the network back where you corrected it, too",
    )
    trust: Fraction = Field(
        default=USUAL_TRUST,
        description="particles that you did not look at teach, too, if their score among the "
        "suspects is below this; 0: your particles alone",
    )
    preview: Annotated[float, Field(ge=0, le=0.5)] = Field(
        default=0.05,
        description="share of the training's time for the live preview; 0: no preview",
    )
    rim: Fraction = Field(
        default=0.1,
        description="what is left of a new particle around yours becomes background up to this "
        "share of yours; more is listed as a conflict",
    )
    trim: Fraction = Field(
        default=0.1,
        description="share of a new particle beside yours that yours may take before it is listed "
        "as a conflict",
    )
    device: str = Field(default="auto", description="auto, cpu or cuda")
    threads: int | None = Field(default=None, gt=0, description="CPU threads; none given: all")
    seed: int = Field(default=0, ge=0, description="seed of patches and augmentation")


class ProposalConfig(StepConfig):
    """Take a proposed segmentation, or keep the one there is."""

    answer: Literal["take", "keep"] = Field(
        default="keep", description="take the proposed segmentation, or keep the one there is"
    )

    def lasting(self) -> Self:
        """An answer is given once."""
        return type(self)()


class MeasureConfig(StepConfig):
    """Measure every particle and the sections."""

    target: str | None = Field(default=None, description="target phase; none given: the project's")
    erosion_voxels: int = Field(
        default=1,
        ge=0,
        le=10,
        description="voxels taken off every particle's rim for the second surface liberation; "
        "off the maps' particles as many pixels as are as deep (K 3.3)",
    )
    grains: bool = Field(
        default=True, description="find the grains: connected pieces of a phase in a particle"
    )
    accessible_depth_um: float = Field(
        default=0.0,
        ge=0,
        description="depth in um below the particles' surface to which each phase counts as "
        "accessible; 0: not measured",
    )
    sensitivity: bool = Field(
        default=False,
        description="measure again with every boundary moved by one voxel, to see what the "
        "results owe to where it was drawn (takes several times as long)",
    )
    sections: int = Field(default=50, ge=0, description="number of virtual sections (K 3.3)")
    section_directions: Literal["axis", "normal", "random"] = Field(
        default="axis",
        description="how the sections lie: normal to an axis, normal to a given direction, or "
        "in random directions",
    )
    section_axis: Literal[0, 1, 2] = Field(
        default=0, description="axis that the sections are normal to: 0 z, 1 y, 2 x"
    )
    section_normal: tuple[float, ...] = Field(
        default=(), description="direction (z, y, x) that the sections are normal to"
    )
    section_seed: int = Field(default=0, ge=0, description="which random directions")


class ReportConfig(StepConfig):
    """Compute all results with their intervals, draw them and write the report."""

    target: tuple[str, ...] = Field(
        default=(),
        description="target phase, or several that count as one; none given: the one measured with",
    )
    min_size_um: float = Field(
        default=0.0, ge=0, description="smallest equivalent diameter that takes part, in um"
    )
    max_size_um: float | None = Field(
        default=None, gt=0, description="largest one; none given: no limit"
    )
    border: Literal["exclude", "weighted", "include"] = Field(
        default="exclude",
        description="particles that touch the border: leave them out (exclude), leave them out "
        "and count the others by their Miles-Lantuejoul weights, or include them as if whole",
    )
    include_border: bool = Field(
        default=False, description="the same as border include, as earlier versions called it"
    )
    locked: Literal["all", "without", "only"] = Field(
        default="all", description="particles that hold target but show none at their surface"
    )
    class_edges: tuple[Fraction, ...] = Field(
        default=(), description="edges of the liberation classes, 0 to 1; none given: tenths"
    )
    group_edges: tuple[Fraction, ...] = Field(
        default=(0.3, 0.9),
        description="locked below the first, liberated from the second on, middlings between",
    )
    size_edges_um: tuple[float, ...] = Field(
        default=(),
        description="edges of the size classes in um, classes for particles beyond them are "
        "added; none given: chosen",
    )
    density_edges: tuple[float, ...] = Field(
        default=(), description="edges of the density classes in g/cm3; none given: chosen"
    )
    resamples: int = Field(
        default=1000, ge=0, le=100_000, description="bootstrap resamples; 0 gives no intervals"
    )
    level: Annotated[float, Field(gt=0, lt=1)] = Field(
        default=0.95, description="coverage that the intervals aim at"
    )
    seed: int = Field(default=0, ge=0, description="seed of the resamples")
    html: bool = Field(default=True, description="write report.html, the page with everything")
    xlsx: bool = Field(
        default=False, description="write all tables as one workbook, too (the extra xlsx)"
    )

    @model_validator(mode="after")
    def _makes_sense(self) -> ReportConfig:
        if self.include_border and self.border == "weighted":
            raise SlagsegError(
                "Particles at the border cannot be weighted and included at once. Choose one."
            )
        if self.max_size_um is not None and self.max_size_um < self.min_size_um:
            raise SlagsegError(
                f"No particle is at least {self.min_size_um:g} and at most {self.max_size_um:g} um "
                "large. Give a largest size above the smallest."
            )
        if len(self.group_edges) != 2 or not self.group_edges[0] < self.group_edges[1]:
            raise SlagsegError(
                "Locked, middlings and liberated need two rising edges, for example 0.3,0.9."
            )
        return self

    @property
    def border_rule(self) -> Literal["exclude", "weighted", "include"]:
        """What is done with particles that touch the border."""
        return "include" if self.include_border else self.border


__all__ = [
    "QUICK_TRAINING",
    "AnnotateConfig",
    "MeasureConfig",
    "ProposalConfig",
    "RegisterConfig",
    "ReportConfig",
    "SegmentConfig",
    "StepConfig",
    "SuspectsConfig",
    "TeachConfig",
    "TrainConfig",
]
