"""Hypothesis strategies: random junctions and anything a policy might ask for."""

from __future__ import annotations

from hypothesis import strategies as st

from saferl_ros.signals import Link, ProgramInterval, SignalPlan, Stage
from saferl_ros.sumo.derive import mend_lamps


@st.composite
def signal_plans(draw: st.DrawFn) -> SignalPlan:
    """Random junctions: up to six links and four stages, any conflicts, any clearances."""
    n_links = draw(st.integers(2, 6))
    pairs = [(i, j) for i in range(n_links) for j in range(i + 1, n_links)]
    foes = [[False] * n_links for _ in range(n_links)]
    yields = [[False] * n_links for _ in range(n_links)]
    for i, j in pairs:
        kind = draw(st.sampled_from(['none', 'i yields', 'j yields', 'both yield']))
        if kind != 'none':
            foes[i][j] = foes[j][i] = True
            yields[i][j] = kind in ('i yields', 'both yield')
            yields[j][i] = kind in ('j yields', 'both yield')
    links = tuple(
        Link(
            index=n,
            from_lane=f'in{n}_0',
            to_lane=f'out{n}_0',
            direction=draw(st.sampled_from('slr')),
            speed_mps=13.9,
            crossing_m=20.0,
        )
        for n in range(n_links)
    )
    frozen_foes, frozen_yields = tuple(map(tuple, foes)), tuple(map(tuple, yields))
    lamps = draw(
        st.lists(
            st.text('Ggrs', min_size=n_links, max_size=n_links)
            .map(lambda text: mend_lamps(text, links, frozen_foes, frozen_yields))
            .filter(lambda text: 'G' in text or 'g' in text),
            min_size=2,
            max_size=4,
            unique=True,
        )
    )
    stages = tuple(
        Stage(
            lamps=text,
            min_green_s=float(least := draw(st.integers(1, 5))),
            max_green_s=float(least + draw(st.integers(0, 15))),
        )
        for text in lamps
    )
    yellow = [float(draw(st.integers(1, 4))) for _ in links]
    all_red = [float(draw(st.integers(0, 3))) for _ in links]
    clears = draw(st.booleans())
    common = {
        'junction_id': 'random',
        'clearance': 'legal',
        'links': links,
        'stages': stages,
        'foes': frozen_foes,
        'yields': frozen_yields,
        'protected_turn_clears': clears,
        'program': tuple(ProgramInterval(stage_index=n, green_s=5.0) for n in range(len(stages))),
        'offset_s': 0.0,
    }
    zeros = ((0.0,) * len(stages),) * len(stages)
    blank = SignalPlan(
        **common,
        min_yellow_s=(0.0,) * n_links,
        min_all_red_s=(0.0,) * n_links,
        yellow_s=zeros,
        all_red_s=zeros,
        max_red_s=1e6,
    )

    def longest(values: list[float]) -> tuple[tuple[float, ...], ...]:
        return tuple(
            tuple(
                max((values[link] for link in blank.losing(a, b)), default=0.0)
                for b in range(len(stages))
            )
            for a in range(len(stages))
        )

    matrices = {'yellow_s': longest(yellow), 'all_red_s': longest(all_red)}
    loose = SignalPlan(
        **common,
        min_yellow_s=tuple(yellow),
        min_all_red_s=tuple(all_red),
        **matrices,
        max_red_s=1e6,
    )
    return SignalPlan(
        **common,
        min_yellow_s=tuple(yellow),
        min_all_red_s=tuple(all_red),
        **matrices,
        max_red_s=loose.round_s() + draw(st.integers(0, 30)),
    )


class Hostile:
    """An object that misbehaves when looked at."""

    def __index__(self) -> int:
        raise RuntimeError('no')


def requests() -> st.SearchStrategy[object]:
    """Whatever might arrive as a request."""
    return st.one_of(
        st.none(),
        st.integers(-3, 6),
        st.integers(0, 3),
        st.floats(),
        st.text(max_size=3),
        st.just(10**30),
        st.builds(Hostile),
        st.just([1]),
    )
