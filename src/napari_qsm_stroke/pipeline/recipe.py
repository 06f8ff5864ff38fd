"""A recipe: the methods of a run in their order, with the values that differ from the defaults."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field, replace
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from napari_qsm_stroke.core.method import get_method
from napari_qsm_stroke.errors import InputError, ParameterError
from napari_qsm_stroke.pipeline.discovery import methods

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

RECIPES = files("napari_qsm_stroke.pipeline") / "recipes"


@dataclass(frozen=True)
class Step:
    """One method and the parameters that differ from its defaults.

    An optional step is left out where the case lacks what it needs (no diffusion images).
    """

    method: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    optional: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "parameters", MappingProxyType(dict(self.parameters)))


@dataclass(frozen=True)
class Recipe:
    """Steps in their order."""

    name: str
    steps: tuple[Step, ...]
    description: str = ""

    def __post_init__(self) -> None:
        problems = self.problems()
        if problems:
            raise ParameterError(f"Recipe {self.name}: " + " ".join(problems))

    def problems(self) -> list[str]:
        """Everything wrong with methods and parameters, at once."""
        methods()
        found = []
        for step in self.steps:
            try:
                get_method(step.method).complete(step.parameters)
            except ParameterError as error:
                found.append(str(error))
        return found

    def with_values(self, settings: Sequence[str]) -> Recipe:
        """Return a recipe with ``METHOD.PARAMETER=VALUE`` applied.

        Raises
        ------
        ParameterError
            A setting cannot be read, or names a method that is not in the recipe.
        """
        recipe = self
        for setting in settings:
            target, equals, value = setting.partition("=")
            name, dot, parameter = target.strip().partition(".")
            if not equals or not dot:
                raise ParameterError(f"--set {setting!r}: write METHOD.PARAMETER=VALUE.")
            recipe = recipe.with_parameters(name, {parameter: value.strip()})
        return recipe

    def with_parameters(self, name: str, values: Mapping[str, Any]) -> Recipe:
        """Return a recipe in which the method of that name has these parameters."""
        if name not in {step.method for step in self.steps}:
            used = ", ".join(step.method for step in self.steps)
            raise ParameterError(f"Recipe {self.name} does not use {name!r}. It uses: {used}.")
        checked = {k: get_method(name).parameter(k).check(v, name) for k, v in values.items()}
        steps = tuple(
            replace(s, parameters={**s.parameters, **checked}) if s.method == name else s
            for s in self.steps
        )
        return replace(self, steps=steps)

    def with_method(self, stage: str, name: str) -> Recipe:
        """Return a recipe in which the step of ``stage`` uses another method."""
        steps = tuple(
            Step(name, optional=s.optional)
            if get_method(s.method).stage == stage
            and s.method != name
            and get_method(s.method).outputs == get_method(name).outputs
            else s
            for s in self.steps
        )
        return replace(self, steps=steps)

    def to_toml(self) -> str:
        """Return the recipe as TOML, every parameter written out."""
        lines = [f'name = "{self.name}"', f'description = """{self.description}"""']
        for step in self.steps:
            lines += ["", "[[step]]", f'method = "{step.method}"']
            if step.optional:
                lines.append("optional = true")
            full = get_method(step.method).complete(step.parameters)
            lines += [f"{key} = {_toml(value)}" for key, value in full.items()]
        return "\n".join(lines) + "\n"

    @classmethod
    def from_toml(cls, text: str, where: str) -> Recipe:
        """Read a recipe.

        Raises
        ------
        InputError
            The text is no TOML or no recipe.
        ParameterError
            A method or parameter is unknown or out of bounds.
        """
        try:
            table = tomllib.loads(text)
            steps = tuple(_step(entry) for entry in table["step"])
            return cls(str(table.get("name", where)), steps, str(table.get("description", "")))
        except (tomllib.TOMLDecodeError, KeyError, TypeError) as error:
            raise InputError(
                where, f"is no recipe ({error}).", "Start from one printed by `qsm-stroke methods`."
            ) from error

    @classmethod
    def load(cls, name_or_file: str | Path) -> Recipe:
        """Return a shipped recipe by name, or read one from a file.

        Raises
        ------
        ParameterError
            There is neither a recipe nor a file of that name.
        """
        shipped = RECIPES / f"{name_or_file}.toml"
        path = Path(name_or_file)
        if shipped.is_file():
            return cls.from_toml(shipped.read_text("utf-8"), str(name_or_file))
        if path.is_file():
            return cls.from_toml(path.read_text("utf-8"), path.name)
        raise ParameterError(
            f"There is no recipe {str(name_or_file)!r}. Known: {', '.join(recipe_names())}; "
            "or give the path of a TOML file."
        )


def recipe_names() -> list[str]:
    """Names of the shipped recipes."""
    return sorted(
        f.name.removesuffix(".toml") for f in RECIPES.iterdir() if f.name.endswith(".toml")
    )


def _step(entry: dict[str, Any]) -> Step:
    values = dict(entry)
    return Step(values.pop("method"), optional=values.pop("optional", False), parameters=values)


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f'"{value}"'
    return repr(value)
