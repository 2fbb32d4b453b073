"""Demand scales as a configuration states them."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from saferl_ros.scenario.demand import MAX_SCALE

DemandScale = Annotated[float, Field(gt=0, le=MAX_SCALE)]


def _rising(value: tuple[float, float]) -> tuple[float, float]:
    if value[0] > value[1]:
        raise ValueError('the lower end must come first')
    return value


ScaleRange = Annotated[tuple[DemandScale, DemandScale], AfterValidator(_rising)]
