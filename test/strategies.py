"""Hypothesis strategies: random junctions and anything a policy might ask for."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st

from saferl_ros.signals import Link, ProgramInterval, SignalPlan, Stage
from saferl_ros.signals.pairing import with_clearances
from saferl_ros.sumo.stages import mend_lamps


def times(
    draw: st.DrawFn, links: tuple[Link, ...], low: int, high: int, *, is_crossing: bool
) -> list[float]:
    """Whole seconds for vehicle links or for crossings, zero for the others."""
    return [
        float(draw(st.integers(low, high))) if link.is_crossing == is_crossing else 0.0
        for link in links
    ]


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
    crossings = set(draw(st.lists(st.integers(1, n_links - 1), max_size=2)))
    links = tuple(
        Link(
            index=n,
            from_lane=f'in{n}_0',
            to_lane=f'out{n}_0',
            direction='s' if n in crossings else draw(st.sampled_from('slr')),
            speed_mps=13.9,
            crossing_m=20.0,
            is_crossing=n in crossings,
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
    min_walk = times(draw, links, 1, 4, is_crossing=True)

    def walk_of(text: str) -> float:
        return max((min_walk[n] for n, lamp in enumerate(text) if lamp in 'Gg'), default=0.0)

    stages = tuple(
        Stage(
            lamps=text,
            min_green_s=(least := max(float(draw(st.integers(1, 5))), walk_of(text))),
            max_green_s=least + draw(st.integers(0, 15)),
        )
        for text in lamps
    )
    zeros = ((0.0,) * len(stages),) * len(stages)
    blank = SignalPlan(
        junction_id='random',
        clearance='legal',
        links=links,
        stages=stages,
        foes=frozen_foes,
        yields=frozen_yields,
        protected_turn_clears=draw(st.booleans()),
        program=tuple(ProgramInterval(stage_index=n, green_s=5.0) for n in range(len(stages))),
        offset_s=0.0,
        min_yellow_s=(0.0,) * n_links,
        min_red_s=((0.0,) * n_links,) * n_links,
        yellow_s=zeros,
        all_red_s=zeros,
        walk_clear_s=zeros,
        min_walk_s=tuple(min_walk),
        walk_clearance_s=(0.0,) * n_links,
        max_red_s=1e6,
    )
    loose = with_clearances(
        blank,
        yellow_s=[
            0.0 if n in crossings else float(draw(st.integers(1, 4))) for n in range(n_links)
        ],
        red_s=[times(draw, links, 0, 3, is_crossing=False) for _ in links],
        walk_clearance_s=[
            float(draw(st.integers(1, 9))) if n in crossings else 0.0 for n in range(n_links)
        ],
        least_red_s=float(draw(st.integers(0, 1))),
    )
    return replace(loose, max_red_s=loose.round_s() + draw(st.integers(0, 30)))


class Hostile:
    """An object that misbehaves when looked at."""

    def __index__(self) -> int:
        raise RuntimeError('no')

    def __repr__(self) -> str:
        return 'hostile'  # no address: a test has one name in every process


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
