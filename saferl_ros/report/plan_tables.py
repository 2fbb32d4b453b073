"""Tables of the signal plan and of which stage followed which in the recorded data."""

from __future__ import annotations

from collections.abc import Mapping

from saferl_ros.report.approaches import approach_rows, movements_in_words
from saferl_ros.report.readable import count
from saferl_ros.report.recorded_data import RecordedData
from saferl_ros.report.table import Row, Table
from saferl_ros.signals import SignalPlan

SAME = '·'  # a stage does not follow itself


def approach_table(plan: SignalPlan, labels: Mapping[str, str]) -> Table:
    """Return the approaches with their posted speeds."""
    return Table(
        name='approaches',
        caption='The approaches, as the drawings and the words of this page call them.',
        columns=('approach', 'signalled lanes', 'posted speed [km/h]', 'edge in the network'),
        rows=tuple(
            Row(
                head=row.label,
                cells=(str(row.n_lanes), f'{row.speed_kmh:.0f}', row.edge_id),
            )
            for row in approach_rows(plan, labels)
        ),
    )


def stage_table(plan: SignalPlan, labels: Mapping[str, str]) -> Table:
    """Return what each stage shows, for how long at least and at most."""
    own_greens: dict[int, list[str]] = {}
    for interval in plan.program:
        own_greens.setdefault(interval.stage_index, []).append(f'{interval.green_s:g}')
    has_stops = any('s' in stage.lamps for stage in plan.stages)
    lamps = ('G', 'g', 's') if has_stops else ('G', 'g')
    return Table(
        name='stages',
        caption=f'The stages. The own program of the junction has a cycle of {plan.cycle_s():g} s '
        f'under these clearances; no movement with demand waits longer than {plan.max_red_s:g} s.',
        columns=(
            'stage',
            'green, protected',
            'green, must give way',
            *(('after a full stop',) if has_stops else ()),
            'min green [s]',
            'max green [s]',
            'own program [s]',
        ),
        rows=tuple(
            Row(
                head=str(index),
                cells=(
                    *(movements_in_words(plan, labels, index, lamp) or 'none' for lamp in lamps),
                    f'{stage.min_green_s:g}',
                    f'{stage.max_green_s:g}',
                    ' and '.join(own_greens.get(index, ['not used'])),
                ),
            )
            for index, stage in enumerate(plan.stages)
        ),
        is_text=True,
    )


def clearance_table(plan: SignalPlan) -> Table:
    """Return walk clearance, yellow and all-red from each stage to each other."""
    stages = range(plan.n_stages)
    has_walk = any(link.is_crossing for link in plan.links)

    def clearance(a: int, b: int) -> str:
        vehicles = f'{plan.yellow_s[a][b]:g} + {plan.all_red_s[a][b]:g}'
        return f'{plan.walk_clear_s[a][b]:g} + {vehicles}' if has_walk else vehicles

    return Table(
        name='clearances',
        caption='Clearance from the stage of the row to the stage of the column: '
        f'{"pedestrian clearance + " if has_walk else ""}yellow + all-red [s]. Only movements '
        'that lose green show it.',
        columns=('from ╲ to', *(f'stage {b}' for b in stages)),
        rows=tuple(
            Row(
                head=f'stage {a}',
                cells=tuple(SAME if a == b else clearance(a, b) for b in stages),
            )
            for a in stages
        ),
    )


def follows_table(data: RecordedData) -> Table:
    """Return how often each stage followed each other in the recorded hours."""
    stages = range(len(data.follows))
    return Table(
        name='follows',
        caption='How often the stage of the column followed that of the row.',
        columns=('from ╲ to', *(f'stage {b}' for b in stages)),
        rows=tuple(
            Row(
                head=f'stage {a}',
                cells=tuple(SAME if a == b else count(data.follows[a][b]) for b in stages),
            )
            for a in stages
        ),
    )
