"""A recorded street becomes decisions whose answers are known by hand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
import time

import numpy as np
import pytest
from small import crossing, crossing_readings, crossing_spec, signal_view

from saferl_ros.bag.description import JunctionDescription
from saferl_ros.bag.files import RisingClock
from saferl_ros.bag.street import StreetMoment
from saferl_ros.bag.to_record import EpisodeCutter, in_words
from saferl_ros.dataset.schema import Episode
from saferl_ros.shield import FixedTimeProgram
from saferl_ros.signals import StageSequencer

DESCRIPTION = JunctionDescription(
    plan=crossing(), spec=crossing_spec(), scenario={'name': 'crossing'}
)


def moments(
    seconds: int, *, run_id: str = 'run', skip: tuple[int, ...] = (), queue_veh: float = 2.0
) -> Iterator[StreetMoment]:
    """Play the crossing's own program: greens of 30, 10 and 20 s, 5 s between them."""
    plan = crossing()
    sequencer, program = StageSequencer(plan), FixedTimeProgram(plan)
    nobody = (False,) * plan.n_links
    for second in range(seconds):
        if sequencer.is_decision_due:
            sequencer.request(program.stage_at(second))
        lamps = sequencer.step(nobody)
        if second in skip:
            continue
        yield StreetMoment(
            junction_id=plan.junction_id,
            run_id=run_id,
            sequence=second + 1,
            recorded_s=float(second),
            now_s=float(second + 1),
            tick_s=1.0,
            lamps=lamps,
            signal=signal_view(sequencer),
            is_clearing=sequencer.is_clearing,
            is_fallback=False,
            is_flash=False,
            readings=crossing_readings(queue_veh),
        )


def cut(*streams: Iterator[StreetMoment]) -> list[Episode]:
    cutter = EpisodeCutter(DESCRIPTION, 5.0)
    for stream in streams:
        for moment in stream:
            cutter.add(moment)
    cutter.finish()
    return cutter.episodes


def test_the_incumbents_choices_are_the_actions_at_the_seconds_they_were_made():
    (episode,) = cut(moments(200))
    changes = episode.applied_stage != episode.stage[:-1]
    assert set(zip(episode.stage[:-1][changes].tolist(), episode.applied_stage[changes].tolist(),
                   strict=True)) == {(0, 1), (1, 2), (2, 0)}  # fmt: skip
    # stage 0: asked at 5, 10, 15, 20 and 25 s of green, left at 30
    asked = episode.green_elapsed_s[:-1][episode.stage[:-1] == 0][:6]
    assert asked.tolist() == [5.0, 10.0, 15.0, 20.0, 25.0, 30.0]
    assert episode.elapsed_s[:5].tolist() == [5.0] * 5
    # the change from 0 to 1: 5 s of clearance, 5 s of minimum green
    assert episode.elapsed_s[5] == 10.0
    assert episode.applied_stage[5] == 1
    assert episode.stage[6] == 1


def test_time_and_standing_vehicles_add_up():
    (episode,) = cut(moments(200, queue_veh=2.0))
    assert episode.reward.sum() == pytest.approx(-2.0 * episode.elapsed_s.sum())
    assert (episode.behaviour_prob == 1.0).all()
    assert not episode.cost.any()
    assert len(episode.observations) == len(episode) + 1
    assert episode.legal[np.arange(len(episode)), episode.applied_stage].all()


def test_the_observations_are_made_of_the_recorded_readings():
    (episode,) = cut(moments(200))
    names = [feature.name for feature in DESCRIPTION.spec.features()]
    queue = episode.observations[:, names.index('n_0_queue')]
    assert np.allclose(queue, 0.2)


def test_a_gap_a_new_run_and_an_hour_each_begin_an_episode():
    assert len(cut(moments(200, skip=(100,)))) == 2
    assert len(cut(moments(100), moments(100, run_id='another'))) == 2
    assert len(cut(moments(7300))) == 3
    gap = cut(moments(200, skip=(100,)))
    assert sum(e.elapsed_s.sum() for e in gap) < cut(moments(200))[0].elapsed_s.sum()


@pytest.mark.parametrize('jump_s', [-50.0, 600.0])
def test_a_clock_that_jumps_begins_an_episode(jump_s):
    jumped = (
        replace(moment, now_s=moment.now_s + jump_s * (n >= 100))
        for n, moment in enumerate(moments(200))
    )
    episodes = cut(jumped)
    assert len(episodes) == 2
    assert all(0 < episode.elapsed_s.min() <= episode.elapsed_s.max() < 30 for episode in episodes)


def test_a_reading_that_is_no_number_is_left_out_and_told():
    cutter = EpisodeCutter(DESCRIPTION, 5.0)
    for n, moment in enumerate(moments(200)):
        if n in (100, 101):
            queue_veh = np.array([2.0, np.nan, 0.0, 0.0])
            moment = replace(moment, readings=replace(moment.readings, queue_veh=queue_veh))
        cutter.add(moment)
    cutter.finish()
    assert len(cutter.episodes) == 2
    assert all(np.isfinite(episode.observations).all() for episode in cutter.episodes)
    assert all(np.isfinite(episode.reward).all() for episode in cutter.episodes)
    assert cutter.left_out == {"queue_veh of 's_0' is no number": 2}
    assert in_words(cutter.left_out) == "2 moments (queue_veh of 's_0' is no number)"


def test_states_of_the_described_plan_and_observation_are_taken_and_no_others():
    own = {
        'plan_fingerprint': DESCRIPTION.plan.fingerprint(),
        'spec_fingerprint': DESCRIPTION.spec.fingerprint(),
    }
    assert len(cut(replace(moment, **own) for moment in moments(200))) == 1
    for name, word in (('plan_fingerprint', 'signal plan'), ('spec_fingerprint', 'observation')):
        other = own | {name: 'f' * 64}
        cutter = EpisodeCutter(DESCRIPTION, 5.0)
        for n, moment in enumerate(moments(200)):
            cutter.add(replace(moment, **(other if 80 <= n < 120 else own)))
        cutter.finish()
        assert len(cutter.episodes) == 2  # before the other program, and after it
        ((reason, n_moments),) = cutter.left_out.items()
        assert n_moments == 40
        assert word in reason


def test_the_clock_of_a_recording_never_goes_back(monkeypatch):
    said = iter((5_000, 6_000, 2_000, 2_001, 7_000))
    monkeypatch.setattr(time, 'time_ns', lambda: next(said))
    clock = RisingClock()
    assert [clock.now_ns() for _ in range(5)] == [5_000, 6_000, 6_001, 6_002, 7_000]


def test_too_short_a_record_gives_no_decision():
    assert cut(moments(4)) == []
