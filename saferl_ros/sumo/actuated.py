"""SUMO's own actuated control, with this junction's stages and clearances."""

from __future__ import annotations

from xml.sax.saxutils import quoteattr

from pydantic import BaseModel, ConfigDict

from saferl_ros.signals.plan import SignalPlan

PROGRAM_ID = 'saferl_actuated'


class ActuatedConfig(BaseModel):
    """What is tuned."""

    model_config = ConfigDict(frozen=True, extra='forbid')

    max_gap_s: float = 3.0  # SUMO's default: a larger gap in the traffic ends the green
    detector_gap_s: float = 2.0  # SUMO's default: distance of the loops from the stop line
    max_green_s: float = 50.0


def actuated_xml(plan: SignalPlan, config: ActuatedConfig) -> str:
    """
    Return an additional file with an actuated program in the order of the network's own.

    :param plan: stages, order, minimum greens and clearances.
    :param config: the tuned parameters.
    """
    lines = [
        '<additional>',
        f'    <tlLogic id={quoteattr(plan.junction_id)} type="actuated" '
        f'programID="{PROGRAM_ID}" offset="0">',
        f'        <param key="max-gap" value="{config.max_gap_s:g}"/>',
        f'        <param key="detector-gap" value="{config.detector_gap_s:g}"/>',
    ]
    order = [part.stage_index for part in plan.program]
    for a, b in zip(order, order[1:] + order[:1], strict=True):
        stage = plan.stages[a]
        longest_s = max(stage.min_green_s, min(config.max_green_s, stage.max_green_s))
        lines.append(
            f'        <phase duration="{stage.min_green_s:g}" state="{stage.lamps}" '
            f'minDur="{stage.min_green_s:g}" maxDur="{longest_s:g}"/>'
        )
        lines += [
            f'        <phase duration="{duration_s:g}" state="{lamps}"/>'
            for duration_s, lamps in plan.change_lamps(a, b)
        ]
    lines += ['    </tlLogic>', '</additional>']
    return '\n'.join(lines)
