"""YAML → one frozen, validated model; unknown keys are refused by name."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_args, get_origin, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
import yaml

from saferl_ros.errors import ConfigError

Model = TypeVar('Model', bound=BaseModel)

CONFIG = ConfigDict(  # of every model that people write: nothing unknown, no number that is none
    use_attribute_docstrings=True, frozen=True, extra='forbid', allow_inf_nan=False
)


class _OnceLoader(yaml.SafeLoader):
    """Refuses a key that is stated twice, of which YAML would quietly take the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        lines: dict[Any, int] = {}
        for key_node, _ in node.value:
            key, line = self.construct_object(key_node, deep=True), key_node.start_mark.line + 1
            if key in lines:
                raise yaml.YAMLError(
                    f"key '{key}' is stated twice, in lines {lines[key]} and {line}"
                )
            lines[key] = line
        return super().construct_mapping(node, deep=deep)


def read_yaml(path: Path, model: type[Model]) -> Model:
    """
    Read a configuration file.

    :raises ConfigError: naming the key, its value and what is allowed.
    """
    try:
        data = yaml.load(path.read_text(encoding='utf-8'), _OnceLoader)
    except OSError as error:
        raise ConfigError(
            f"configuration '{path}' cannot be read: {error.strerror}; check the path"
        ) from error
    except (yaml.YAMLError, ValueError) as error:  # ValueError: not even text
        reason = ' '.join(str(error).split())
        raise ConfigError(f"configuration '{path}' is not valid YAML: {reason}") from error
    if data is None:
        data = {}
    if not isinstance(data, dict):
        raise ConfigError(
            f"configuration '{path}' must hold keys and values at its top level, as in "
            f"'{next(iter(model.model_fields))}: …'"
        )
    return build_model(model, data, f"configuration '{path}'")


def build_model(model: type[Model], data: dict[str, Any], source: str) -> Model:
    """
    Return the model of this data.

    :param source: where the data stand, for the message.
    :raises ConfigError: naming the key, its value and what is allowed.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise ConfigError(f'{source}: {_explain(error, model)}') from error


def differences(then: dict[str, Any], now: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Return the settings that differ: name to (then, now), ``'–'`` where one is missing."""
    before, after = dict(_settings(then)), dict(_settings(now))
    pairs = {key: (before.get(key, '–'), after.get(key, '–')) for key in {**before, **after}}
    return {key: pair for key, pair in pairs.items() if pair[0] != pair[1]}


def _settings(part: Any, name: str = '') -> Iterator[tuple[str, Any]]:
    """
    Yield every setting with its full name; a list and an empty table are one setting each.

    A number that is a key is the same with and without its ``.0``, as JSON and YAML have it.
    """
    if isinstance(part, dict) and part:
        for key, value in part.items():
            key = str(key).removesuffix('.0')
            yield from _settings(value, f'{name}.{key}' if name else key)
    else:
        yield name, part


def _explain(error: ValidationError, model: type[BaseModel]) -> str:
    parts = []
    told: list[list[str]] = []  # tables whose keys are listed already
    for item in error.errors():
        location = [str(part) for part in item['loc']]
        key = '.'.join(location)
        if item['type'] == 'extra_forbidden':
            known = list(_fields_at(model, location[:-1]))
            near = get_close_matches(location[-1], known, n=1)
            hint = ''
            if near:
                hint = f"; did you mean '{near[0]}'?"
            elif location[:-1] not in told:
                hint = f'; known are {", ".join(known)}'
                told.append(location[:-1])
            parts.append(f"unknown key '{key}'{hint}")
        elif item['type'] == 'missing':
            parts.append(f"key '{key}' is missing")
        else:
            message = item['msg'].removeprefix('Value error, ')
            if item['type'] == 'tuple_type':
                message = f'must be a list, such as [{item["input"]}]'
            name = f"key '{key}': " if key else ''
            is_table = isinstance(item['input'], dict)  # a whole part of the file says little
            found = '' if is_table else f', found {item["input"]!r}'
            parts.append(f'{name}{message[:1].lower()}{message[1:]}{found}')
    return '; '.join(parts)


def _fields_at(model: Any, location: list[str]) -> Any:
    for part in location:
        is_table = get_origin(model) is dict  # of models, by name
        model = get_args(model)[1] if is_table else model.model_fields[part].annotation
    return model.model_fields
