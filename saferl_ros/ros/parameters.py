"""The parameters of the nodes: one declaration each, with type, default, range and meaning."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
import math
from typing import Any

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.node import Node
from rclpy.parameter import Parameter

from saferl_ros.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """One parameter. Its type is that of its default; all are read once, at the start."""

    name: str
    default: bool | int | float | str | tuple[str, ...]
    about: str
    bounds: tuple[float, float] | None = None


def declare(node: Node, declared: Sequence[Declared]) -> dict[str, Any]:
    """
    Declare parameters and return their values by name.

    A whole number does for a double.

    :raises UsageError: if a double is no number or out of its range.
    :raises rclpy.exceptions.InvalidParameterTypeException: if a value has another type.
    :raises rclpy.exceptions.InvalidParameterValueException: if it is out of its range.
    """
    values: dict[str, Any] = {}
    for one in declared:
        descriptor = ParameterDescriptor(description=one.about, read_only=True)
        if isinstance(one.default, float):
            values[one.name] = _double(node, one, descriptor)
            continue
        if one.bounds is not None:
            descriptor.integer_range = [
                IntegerRange(from_value=int(one.bounds[0]), to_value=int(one.bounds[1]))
            ]
        if isinstance(one.default, tuple):  # an empty list has no type of its own
            initial: Any = list(one.default) if one.default else Parameter.Type.STRING_ARRAY
            found = node.declare_parameter(one.name, initial, descriptor).value
            values[one.name] = tuple(found or ())
        else:
            values[one.name] = node.declare_parameter(one.name, one.default, descriptor).value
    return values


def _double(node: Node, one: Declared, descriptor: ParameterDescriptor) -> float:
    descriptor.dynamic_typing = True  # YAML's 2 is an integer
    low, high = one.bounds or (-math.inf, math.inf)
    descriptor.floating_point_range = [FloatingPointRange(from_value=low, to_value=high)]
    value = node.declare_parameter(one.name, one.default, descriptor).value
    if type(value) not in (int, float) or not low <= value <= high:
        raise UsageError(
            f"parameter '{one.name}' is {value!r}; it must be a number from {low:g} to {high:g}"
        )
    return float(value)
