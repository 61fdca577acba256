"""Options made from the steps' configurations, and the types of our own options."""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar, Union, get_args, get_origin

import click

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

    from napari_slagseg.io import RawLayout
    from napari_slagseg.workflow.blockwise.resources import Resources
    from napari_slagseg.workflow.configs import StepConfig

    ParameterType = click.ParamType[Any]
    TextChoice = click.Choice[str]
else:
    # click 8.1 has these without type parameters
    ParameterType, TextChoice = click.ParamType, click.Choice

F = TypeVar("F", bound=Callable[..., Any])


class Numbers(ParameterType):
    """Numbers separated by commas.

    Parameters
    ----------
    of : type
        int or float.
    counts : tuple of int
        How many there may be; empty for any number.
    """

    name = "numbers"

    def __init__(self, of: type[int] | type[float], counts: tuple[int, ...] = ()) -> None:
        self.of = of
        self.counts = counts

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, ...]:
        """``"5,5,10"`` to a tuple."""
        if isinstance(value, (tuple, list)):
            return tuple(value)
        if isinstance(value, (int, float)):
            return (self.of(value),)
        try:
            numbers = tuple(self.of(part) for part in str(value).split(","))
        except ValueError:
            self.fail(f"{value!r} is not a number, or numbers separated by commas", param, ctx)
        if self.counts and len(numbers) not in self.counts:
            expected = " or ".join(str(n) for n in self.counts)
            self.fail(f"{value!r} has {len(numbers)} numbers; it needs {expected}", param, ctx)
        return numbers


class _Names(ParameterType):
    """Names separated by commas."""

    name = "names"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        if isinstance(value, (tuple, list)):
            return tuple(value)
        return tuple(part.strip() for part in str(value).split(",") if part.strip())


class _Values(TextChoice):
    """One of a few values that need not be text."""

    def __init__(self, values: tuple[Any, ...]) -> None:
        super().__init__([str(value) for value in values])
        self._of_text = {str(value): value for value in values}

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value in self._of_text.values():
            return value
        return self._of_text[super().convert(value, param, ctx)]


def _bare(annotation: Any) -> Any:
    """Type without ``| None``."""
    if get_origin(annotation) in (Union, types.UnionType):
        (only,) = [part for part in get_args(annotation) if part is not type(None)]
        return _bare(only)
    # Annotated[float, ...] hides its type in its first argument
    return get_args(annotation)[0] if hasattr(annotation, "__metadata__") else annotation


def _type_of(annotation: Any) -> ParameterType:
    origin = get_origin(annotation)
    if origin is Literal:
        return _Values(get_args(annotation))
    if origin is tuple:
        item = get_args(annotation)[0]
        return _Names() if item is str else Numbers(item)
    plain: dict[Any, ParameterType] = {int: click.INT, float: click.FLOAT, str: click.STRING}
    return plain[annotation]


def _field_option(name: str, field: FieldInfo) -> Callable[[F], F]:
    kind = _bare(field.annotation)
    dashed = name.replace("_", "-")
    text = (field.description or "").strip()
    text = text[:1].upper() + text[1:] + "."
    default = field.default
    # None and () mean that the description says what happens then
    if default is not None and default != ():
        shown = ("yes" if default else "no") if kind is bool else str(default)
        text = f"{text}  [default: {shown}]"
    if kind is bool:
        return click.option(f"--{dashed}/--no-{dashed}", name, default=None, help=text)
    taken = _type_of(kind)
    if isinstance(taken, _Names):
        text = f"{text}  Several: A,B or the option again."
        return click.option(
            f"--{dashed}", name, type=taken, multiple=True, callback=_together, help=text
        )
    return click.option(f"--{dashed}", name, type=taken, default=None, help=text)


def _together(
    ctx: click.Context, param: click.Parameter, value: tuple[tuple[str, ...], ...]
) -> tuple[str, ...] | None:
    """Names of all times that an option was given; None if it was not."""
    return tuple(name for names in value for name in names) or None


def config_options(
    config: type[StepConfig], *, leave_out: tuple[str, ...] = ()
) -> Callable[[F], F]:
    """Give a command one option for each field of a step's configuration.

    Names are the fields' with dashes; help and defaults are theirs, too. An
    option that is not given reaches the command as None (see `given`).
    """

    def decorate(function: F) -> F:
        for name, field in reversed(config.model_fields.items()):
            if name not in leave_out:
                function = _field_option(name, field)(function)
        return function

    return decorate


def given(values: Mapping[str, Any], config: type[StepConfig]) -> dict[str, Any]:
    """Those values that are fields of `config` and were given."""
    return {
        name: values[name]
        for name in config.model_fields
        if values.get(name) is not None and values[name] != ()
    }


def resource_options(function: F) -> F:
    """Give a command the options that say what work on blocks may use (see `resources`)."""
    from napari_slagseg.workflow.blockwise.resources import Resources

    for name, field in reversed(Resources.model_fields.items()):
        if name == "memory":
            text = (field.description or "").capitalize()
            function = click.option("--memory", metavar="AMOUNT", help=f"{text}.")(function)
        else:
            function = _field_option(name, field)(function)
    return function


def resources(values: Mapping[str, Any]) -> Resources:
    """What the options of `resource_options` say.

    Raises
    ------
    SlagsegError
        If the memory is no amount, or the workers are none.
    """
    from pydantic import ValidationError

    from napari_slagseg.data import SlagsegError
    from napari_slagseg.workflow.blockwise.resources import Resources

    said = {n: values[n] for n in Resources.model_fields if values.get(n) is not None}
    try:
        return Resources(**said)
    except ValidationError as error:
        first = error.errors()[0]
        own = first.get("ctx", {}).get("error")
        if isinstance(own, SlagsegError):
            raise SlagsegError(str(own)) from error
        raise SlagsegError(f"--{first['loc'][0]} {first['input']}: {first['msg']}.") from error


def placement_options(*, leave_out: tuple[str, ...] = ()) -> Callable[[F], F]:
    """Give a command the options that say what is known of a map's place.

    Most are the fields of `RegisterConfig`; some fields are more easily said together
    (see `placement_values`).
    """
    from napari_slagseg.workflow.configs import RegisterConfig

    said_together = ("height_low", "height_high", "field_rows", "field_columns", "start")
    own = (
        click.option(
            "--height",
            nargs=2,
            type=float,
            metavar="LO HI",
            help="CT slices between which the map's centre lies, if known.",
        ),
        click.option(
            "--landmarks",
            type=click.Path(path_type=Path),
            metavar="FILE",
            help="CSV with the columns map,row,column,z,y,x: three or more pairs of a map pixel "
            "and a CT voxel that show the same, counted from 0.",
        ),
        click.option(
            "--field-size",
            type=Numbers(int, (2,)),
            metavar="ROWS,COLUMNS",
            help="Map pixels of the fields that a stitched map is made of, if it is. None given: "
            "the map counts as one piece.",
        ),
        click.option(
            "--from-here",
            is_flag=True,
            help="Search nothing: fit again from the stored placement, as it was nudged.",
        ),
    )

    def decorate(function: F) -> F:
        function = config_options(RegisterConfig, leave_out=(*said_together, *leave_out))(function)
        for option in reversed(own):
            function = option(function)
        return function

    return decorate


def placement_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of `RegisterConfig` from what the options of `placement_options` say."""
    from napari_slagseg.workflow.configs import RegisterConfig

    found = given(values, RegisterConfig)
    if values.get("height") is not None:
        found["height_low"], found["height_high"] = values["height"]
    if values.get("field_size") is not None:
        found["field_rows"], found["field_columns"] = values["field_size"]
    if values.get("from_here"):
        found["start"] = "here"
    return found


def ct_options(function: F) -> F:
    """Give a command the options that say how to read a CT."""
    options = (
        click.option(
            "--voxel-size",
            type=Numbers(float, (1, 3)),
            metavar="UM",
            help="Edge of a voxel in micrometres: one number, or three as Z,Y,X. "
            "Not needed where the file states it.",
        ),
        click.option(
            "--raw-shape",
            type=Numbers(int, (3,)),
            metavar="Z,Y,X",
            help="Shape of a CT without a header (raw).",
        ),
        click.option("--raw-dtype", metavar="TYPE", help="Its type: uint8, uint16, float32 ..."),
        click.option("--raw-offset", type=click.IntRange(0), help="Bytes before its first voxel."),
        click.option(
            "--raw-byte-order", type=click.Choice(["little", "big"]), help="Its byte order."
        ),
    )
    for option in reversed(options):
        function = option(function)
    return function


def raw_layout(values: Mapping[str, Any]) -> RawLayout | None:
    """Layout of a raw file from the options; None where none is given."""
    from napari_slagseg.data import SlagsegError
    from napari_slagseg.io import RawLayout

    shape, dtype = values.get("raw_shape"), values.get("raw_dtype")
    if shape is None and dtype is None:
        return None
    if shape is None or dtype is None:
        raise SlagsegError("A raw file needs both --raw-shape Z,Y,X and --raw-dtype TYPE.")
    return RawLayout(
        shape=tuple(shape),
        dtype=dtype,
        offset=values.get("raw_offset") or 0,
        byte_order=values.get("raw_byte_order") or "little",
    )


def voxel_size(values: Mapping[str, Any]) -> float | tuple[float, ...] | None:
    """What ``--voxel-size`` says: one number, three, or None."""
    size = values.get("voxel_size")
    if size is None:
        return None
    return float(size[0]) if len(size) == 1 else tuple(size)


__all__ = [
    "Numbers",
    "config_options",
    "ct_options",
    "given",
    "placement_options",
    "placement_values",
    "raw_layout",
    "resource_options",
    "resources",
    "voxel_size",
]
