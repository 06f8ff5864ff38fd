"""A method is one typed function: its signature, read once, is all that the program knows of it.

From the declaration come the form, the command line flag, the recipe key, the provenance record,
the row in the docs and the contract tests. The decorated function stays a plain NumPy function.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import annotated_types as at
from docstring_parser import parse as parse_docstring

from napari_qsm_stroke.core.measured_bias import Bias, measured
from napari_qsm_stroke.core.progress import Progress
from napari_qsm_stroke.core.quantities import Header, Quantity
from napari_qsm_stroke.errors import ParameterError

F = TypeVar("F", bound=Callable[..., Any])
_registry: dict[str, Method] = {}
METHODS: Mapping[str, Method] = MappingProxyType(_registry)
"""Every method that has been imported, by name."""


@dataclass(frozen=True)
class Unit:
    """Unit of a parameter, given in its annotation."""

    name: str


@dataclass(frozen=True)
class Parameter:
    """One tunable value of a method, with its default and its bounds."""

    name: str
    type: type
    default: Any
    unit: str = ""
    description: str = ""
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    open_minimum: bool = False
    open_maximum: bool = False

    def bounds(self) -> str:
        """Allowed values in words, for messages and tables."""
        if self.choices:
            return " or ".join(self.choices)
        low = (
            "" if self.minimum is None else f"{'>' if self.open_minimum else '>='} {self.minimum:g}"
        )
        high = (
            "" if self.maximum is None else f"{'<' if self.open_maximum else '<='} {self.maximum:g}"
        )
        return ", ".join(text for text in (low, high) if text)

    def check(self, value: Any, owner: str) -> Any:
        """Return ``value`` as the type of this parameter.

        Raises
        ------
        ParameterError
            The value has another type or is out of bounds.
        """
        where = f"{owner}.{self.name}"
        try:
            value = _convert(value, self.type)
        except (TypeError, ValueError):
            raise ParameterError(
                f"{where}: expected {self.type.__name__}, got {value!r}."
            ) from None
        if self.choices and value not in self.choices:
            raise ParameterError(f"{where}: expected {self.bounds()}, got {value!r}.")
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            low, high = self.minimum, self.maximum
            below = low is not None and (value < low or (self.open_minimum and value == low))
            above = high is not None and (value > high or (self.open_maximum and value == high))
            if below or above or value != value:
                unit = f" {self.unit}" if self.unit else ""
                raise ParameterError(
                    f"{where}: {value:g}{unit} is out of bounds ({self.bounds()}{unit})."
                )
        return value


@dataclass(frozen=True)
class Argument:
    """An argument that the runner fills in: a map of the case or a header value."""

    name: str
    source: Quantity | Header
    optional: bool = False
    whole: bool = False
    """The function wants the Volume (data and grid), not only its array."""


@dataclass(frozen=True)
class Method:
    """A registered function and all that its signature says."""

    name: str
    function: Callable[..., Any]
    inputs: tuple[Argument, ...]
    headers: tuple[Argument, ...]
    parameters: tuple[Parameter, ...]
    outputs: tuple[Quantity, ...]
    progress: str | None
    cite: tuple[str, ...] = ()
    linear: bool = False
    advised: bool | None = None
    """Whether its author recommends it; None leaves that to the measured bias."""
    revision: int = 1
    memory: float | None = None
    """Peak of the memory that it takes beyond its inputs, in float32 volumes of the box of its
    mask (of the grid, where it takes none); for each echo, where it works on echoes. None: not
    known."""
    summary: str = ""
    notes: str = field(default="", repr=False)

    @property
    def stage(self) -> str:
        """Name of the package that the method lives in: ``inversion``, ``masks`` ..."""
        return self.function.__module__.rpartition(".")[0].rpartition(".")[2]

    @property
    def bias(self) -> Bias | None:
        """How far off it lets the change of the infarct core come out, where that was measured."""
        return measured().get(self.name)

    @property
    def recommended(self) -> bool:
        """Whether it is fit for this study, as declared or else by its measured bias."""
        return not self.caution

    @property
    def caution(self) -> str:
        """Why the method is not recommended for this study; empty where it is."""
        bias = self.bias
        if self.advised is None and bias is None:
            taken = {a.source.name for a in self.inputs}
            inverts = "susceptibility" in {q.name for q in self.outputs} - taken
            return "its bias was not measured" if inverts else ""
        if self.advised or (self.advised is None and bias is not None and bias.small):
            return ""
        return "its bias is too large" + (f": {bias.words()}" if bias else "")

    @property
    def takes_echoes(self) -> bool:
        """Whether it works on echoes: its first input has a volume for each."""
        first = self.inputs[0].source if self.inputs else None
        return isinstance(first, Quantity) and first.kind == "echoes"

    @property
    def memory_words(self) -> str:
        """The declared memory, for people."""
        if self.memory is None:
            return "not declared"
        each = " for each echo" if self.takes_echoes else ""
        return f"up to {self.memory:g} float32 volumes{each} beyond its inputs"

    def parameter(self, name: str) -> Parameter:
        """Return the parameter of that name.

        Raises
        ------
        ParameterError
            There is none.
        """
        for parameter in self.parameters:
            if parameter.name == name:
                return parameter
        known = ", ".join(p.name for p in self.parameters) or "none"
        raise ParameterError(f"{self.name} has no parameter {name!r}. It has: {known}.")

    def complete(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Check ``values`` and fill in the defaults of all others."""
        full = {p.name: p.default for p in self.parameters}
        for name, value in values.items():
            full[name] = self.parameter(name).check(value, self.name)
        return full


def method(
    *,
    cite: tuple[str, ...] | str = (),
    linear: bool = False,
    recommended: bool | None = None,
    revision: int = 1,
    memory: float | None = None,
) -> Callable[[F], F]:
    """Register a function as a method of the pipeline.

    Parameters
    ----------
    cite : str or tuple of str
        DOI of the source, one or several.
    linear : bool
        The output is linear in the first input; the contract tests check it.
    recommended : bool, optional
        False marks a method whose bias is known to be too large for this study; forms, command
        line and docs show it. Where it is not given, the bias that the benchmark measured decides,
        and an inversion that was not measured is not recommended.
    revision : int
        Raised whenever numbers change; part of the cache key.
    memory : float, optional
        Peak of the memory taken beyond the inputs, outputs included, in float32 volumes of the
        box of the mask (of the grid, where the method takes no mask); for each echo, where its
        first input holds echoes. The contract tests measure it, and a run that needs more than is
        free is refused.

    Raises
    ------
    TypeError
        The signature leaves open where an argument comes from.
    """

    def register(function: F) -> F:
        entry = replace(
            _read(function),
            cite=(cite,) if isinstance(cite, str) else tuple(cite),
            linear=linear,
            advised=recommended,
            revision=revision,
            memory=memory,
        )
        _registry[entry.name] = entry
        return function

    return register


def get_method(name: str) -> Method:
    """Return the method of that name.

    Raises
    ------
    ParameterError
        No method has that name.
    """
    try:
        return METHODS[name]
    except KeyError:
        known = ", ".join(sorted(METHODS))
        raise ParameterError(f"There is no method {name!r}. Known methods: {known}.") from None


def parameters_of(settings: Callable[..., Any]) -> tuple[Parameter, ...]:
    """Read the tunable values of an annotated callable that is no method: a settings dataclass."""
    hints = get_type_hints(settings, include_extras=True)
    doc = parse_docstring(inspect.getdoc(settings) or "")
    described = {
        shared.strip(): " ".join((p.description or "").split())
        for p in doc.params
        for shared in p.arg_name.split(",")
    }
    return tuple(
        _parameter(settings.__name__, a, hints[a.name], described.get(a.name, ""))
        for a in inspect.signature(settings).parameters.values()
    )


def forget(name: str) -> None:
    """Take a method out of the registry (for tests that add a temporary one)."""
    _registry.pop(name, None)


def _read(function: Callable[..., Any]) -> Method:
    """Return all that the signature and the docstring say."""
    name = function.__name__
    hints = get_type_hints(function, include_extras=True)
    doc = parse_docstring(inspect.getdoc(function) or "")
    described = {
        shared.strip(): " ".join((p.description or "").split())
        for p in doc.params
        for shared in p.arg_name.split(",")
    }
    inputs: list[Argument] = []
    headers: list[Argument] = []
    parameters: list[Parameter] = []
    progress = None
    for argument in inspect.signature(function).parameters.values():
        if argument.name not in hints:
            raise TypeError(f"{name}: argument {argument.name!r} has no annotation")
        hint = hints[argument.name]
        if hint == Progress:
            progress = argument.name
            continue
        source = _source(hint)
        if source is None:
            parameters.append(_parameter(name, argument, hint, described.get(argument.name, "")))
            continue
        optional = argument.default is None
        whole = _wants_volume(hint)
        target = inputs if isinstance(source, Quantity) else headers
        target.append(Argument(argument.name, source, optional, whole))
    outputs = _outputs(name, hints.get("return"))
    return Method(
        name=name,
        function=function,
        inputs=tuple(inputs),
        headers=tuple(headers),
        parameters=tuple(parameters),
        outputs=outputs,
        progress=progress,
        summary=doc.short_description or "",
        notes=doc.long_description or "",
    )


def _source(hint: Any) -> Quantity | Header | None:
    """Quantity or header value behind an annotation, also inside ``X | None``."""
    for item in getattr(hint, "__metadata__", ()):
        if isinstance(item, (Quantity, Header)):
            return item
    if type(None) in get_args(hint):
        for option in get_args(hint):
            found = _source(option)
            if found is not None:
                return found
    return None


def _wants_volume(hint: Any) -> bool:
    options = get_args(hint) if type(None) in get_args(hint) else (hint,)
    return any(getattr(option, "__origin__", None).__class__ is type for option in options)


def _parameter(owner: str, argument: inspect.Parameter, hint: Any, text: str) -> Parameter:
    if argument.default is inspect.Parameter.empty:
        raise TypeError(f"{owner}: parameter {argument.name!r} has no default and is no quantity")
    base: Any = hint
    metadata: tuple[Any, ...] = ()
    if hasattr(hint, "__metadata__"):
        base, metadata = hint.__origin__, hint.__metadata__
    choices = tuple(get_args(base)) if get_origin(base) is Literal else ()
    bounds: dict[str, Any] = {}
    unit = ""
    for item in metadata:
        if isinstance(item, Unit):
            unit = item.name
        for constraint in item if isinstance(item, at.GroupedMetadata) else (item,):
            bounds |= _bound(constraint)
    return Parameter(
        name=argument.name,
        type=str if choices else base,
        default=argument.default,
        unit=unit,
        description=text,
        choices=choices,
        **bounds,
    )


def _bound(constraint: Any) -> dict[str, Any]:
    match constraint:
        case at.Gt(gt=low):
            return {"minimum": low, "open_minimum": True}
        case at.Ge(ge=low):
            return {"minimum": low}
        case at.Lt(lt=high):
            return {"maximum": high, "open_maximum": True}
        case at.Le(le=high):
            return {"maximum": high}
    return {}


def _outputs(name: str, hint: Any) -> tuple[Quantity, ...]:
    items = get_args(hint) if get_origin(hint) is tuple else (hint,)
    found = tuple(_source(item) for item in items)
    if not all(isinstance(item, Quantity) for item in found):
        raise TypeError(f"{name}: the return annotation names no quantity")
    return tuple(item for item in found if isinstance(item, Quantity))


def _convert(value: Any, kind: type) -> Any:
    """Value as ``kind``; text from a command line too, but never a float cut to an int."""
    if kind is bool:
        if isinstance(value, str) and value.lower() in {"true", "false", "yes", "no", "1", "0"}:
            return value.lower() in {"true", "yes", "1"}
        if not isinstance(value, bool):
            raise TypeError
        return value
    if kind is int and isinstance(value, float):
        if not value.is_integer():
            raise ValueError
        return int(value)
    if isinstance(value, bool):
        raise TypeError
    if get_origin(kind) is tuple or kind is tuple:
        raise TypeError
    return kind(value)
