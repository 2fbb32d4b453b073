"""The parameters of the nodes: one declaration each, with type, default, range and meaning."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.node import Node
from rclpy.parameter import Parameter


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

    :raises rclpy.exceptions.InvalidParameterTypeException: if a value has another type.
    :raises rclpy.exceptions.InvalidParameterValueException: if it is out of its range.
    """
    values = {}
    for one in declared:
        descriptor = ParameterDescriptor(description=one.about, read_only=True)
        if one.bounds is not None and isinstance(one.default, float):
            descriptor.floating_point_range = [
                FloatingPointRange(from_value=one.bounds[0], to_value=one.bounds[1])
            ]
        elif one.bounds is not None:
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
