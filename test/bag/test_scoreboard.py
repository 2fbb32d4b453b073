"""The scoreboard of crafted shadow runs whose every number was worked out by hand."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
import shutil
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from small import crossing, crossing_spec

from saferl_ros.bag.description import JunctionDescription
from saferl_ros.bag.files import SegmentWriter
from saferl_ros.bag.scoreboard import (
    best_legal,
    Gap,
    GapKind,
    GAPS_KEPT,
    JunctionScore,
    score_bag,
    Tally,
    unfinished_segments,
)
from saferl_ros.errors import BagError

SEVEN_S = 25_200.0  # seven o'clock
ALL = (True, True, True)


def stamp(time_s: float) -> SimpleNamespace:
    return SimpleNamespace(sec=int(time_s), nanosec=round(time_s % 1 * 1e9))


def state(n: int, stage: int = 0, *, run: str = 'a', **changes: Any) -> SimpleNamespace:
    """State ``n`` of a run that began at seven, one a second."""
    fields = {
        'stamp': stamp(SEVEN_S + n),
        'run_id': run,
        'sequence': n,
        'tick_s': 1.0,
        'stage': stage,
        'legal_stages': ALL,
        'is_clearing': False,
        'mode': 0,
        'is_fallback': False,
    }
    return SimpleNamespace(**{**fields, **changes})


def readings(n: int, standing: float, *, run: str = 'a') -> SimpleNamespace:
    return SimpleNamespace(
        stamp=stamp(SEVEN_S + n),
        run_id=run,
        sequence=n,
        queue_veh=np.array([standing, 0.0]),
        advance_queue_veh=np.array([1.0]),
    )


def answer(n: int, wanted: int, *, run: str = 'a', **changes: Any) -> SimpleNamespace:
    """An answer to state ``n`` that likes ``wanted`` best."""
    fields = {
        'stamp': stamp(SEVEN_S + n),
        'run_id': run,
        'state_sequence': n,
        'stage': wanted,
        'scores': np.eye(3, dtype=np.float32)[wanted],
        'is_out_of_distribution': False,
        'out_of_distribution_score': 0.5,
        'latency_s': 0.001,
    }
    return SimpleNamespace(**{**fields, **changes})


def verdict(n: int, reason: str, *, run: str = 'a', is_shadow: bool = True) -> SimpleNamespace:
    return SimpleNamespace(
        stamp=stamp(SEVEN_S + n), run_id=run, reason=reason, is_shadow=is_shadow
    )


def scored(events: Iterable[tuple[Any, ...]]) -> JunctionScore:
    """Score (name, message) or (name, message, wall clock) in that order."""
    tally = Tally('crossing', 5.0)
    for event in events:
        name, message, *wall = event
        tally.take(name, message, wall[0] if wall else 0.0)
    return tally.finish()


def states(stages: Iterable[int], first: int = 1, **changes: Any) -> list[tuple[str, Any]]:
    return [('signal_state', state(first + n, s, **changes)) for n, s in enumerate(stages)]


def asked(events: list[tuple[str, Any]], *answers: SimpleNamespace) -> list[tuple[str, Any]]:
    """Put each answer right after its state."""
    found = list(events)
    for one in answers:
        at = next(
            n
            for n, (name, m) in enumerate(found)
            if name == 'signal_state'
            and (m.run_id, m.sequence) == (one.run_id, one.state_sequence)
        )
        found.insert(at + 1, ('shadow_request', one))
    return found


# --- answers that are due -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ('length', 'answered', 'n_due', 'n_unanswered'),
    [
        (20, (4, 9, 14, 19), 3, 0),  # from the first answer on: due are 9, 14 and 19
        (20, (4, 9, 19), 3, 1),
        (20, (4, 12, 14, 19), 3, 0),  # within five seconds
        (37, (4, 9), 6, 5),  # the policy died; 39 might still be answered
        (37, (), 0, 0),  # there was none
    ],
)
def test_decisions_that_the_policy_left_unanswered_are_counted(
    length, answered, n_due, n_unanswered
):
    kept = states([0] * 3 + [1] * length)
    score = scored(asked(kept, *(answer(n, 1) for n in answered)))
    assert (score.total('n_due'), score.total('n_unanswered')) == (n_due, n_unanswered)


def test_an_answer_recorded_before_or_long_after_its_state_is_one():
    kept = states([0] * 3 + [1] * 300)
    answers = [answer(n, 1) for n in range(4, 300, 5)]
    late = [*kept[:4], ('shadow_request', answers[0]), *kept[4:]]
    late += [('shadow_request', one) for one in answers[1:]]
    early = [('shadow_request', one) for one in answers]
    for events in (late, [*early, *kept]):
        score = scored(events)
        assert score.total('n_due') in (len(answers) - 1, len(answers))
        assert score.total('n_unanswered') == 0


def test_after_a_gap_answers_are_due_from_the_next_change_of_stage_on():
    kept = [*states([0] * 3 + [1] * 6), *states([1] * 6 + [2] * 4, first=20)]
    score = scored(asked(kept, answer(4, 1), answer(9, 1), answer(26, 2)))
    assert (score.total('n_due'), score.total('n_unanswered')) == (2, 0)  # 9 and 26
    silent = scored(asked(kept, answer(4, 1), answer(9, 1)))
    assert (silent.total('n_due'), silent.total('n_unanswered')) == (1, 0)


def test_what_an_earlier_run_was_never_answered_is_told():
    kept = [*states([0] * 3 + [1] * 12), *states([0] * 5, run='b')]
    score = scored(asked(kept, answer(4, 1)))
    assert (score.total('n_due'), score.total('n_unanswered')) == (2, 2)  # 9 and 14


# --- agreement --------------------------------------------------------------------------------


def test_an_answer_agrees_with_the_stage_that_shows_one_decision_later():
    kept = states([0] * 12)
    score = scored(asked(kept, answer(1, 0), answer(6, 2)))
    assert (score.total('n_compared'), score.total('n_agreed')) == (2, 1)
    stage = score.stages[0]
    assert (stage.n_policy_left, stage.n_incumbent_left, stage.n_both_left) == (1, 0, 0)


@pytest.mark.parametrize(('changed_at', 'agrees'), [(2, True), (6, True), (7, False)])
def test_a_change_counts_from_the_next_tick_up_to_the_next_decision(changed_at, agrees):
    score = scored(asked(states([0] * (changed_at - 1) + [2] * 12), answer(1, 2)))
    assert score.stages[0].n_compared == 1
    assert score.stages[0].n_agreed == agrees
    assert score.stages[0].n_both_left == agrees


def test_both_may_leave_for_different_stages():
    score = scored(asked(states([0, 0, 1, 1, 1, 1, 1]), answer(1, 2)))
    stage = score.stages[0]
    assert (stage.n_agreed, stage.n_both_left) == (0, 1)


def test_only_a_legal_stage_can_be_the_best():
    illegal = states([0] * 8, legal_stages=(True, True, False))
    scores = np.array([0.2, 0.1, 0.9], dtype=np.float32)
    assert scored(asked(illegal, answer(1, 2, scores=scores))).total('n_agreed') == 1
    assert best_legal([1.0, 1.0, 0.0], ALL, default=2) == 0  # the first among equals
    assert best_legal([float('nan'), 0.0, 5.0], (True, True, False), default=2) == 1
    assert best_legal([], ALL, default=2) == 2
    assert best_legal([1.0, 2.0], ALL, default=2) == 2


def test_an_answer_recorded_too_early_or_too_late_is_still_compared():
    plain = states([0] * 12)
    early = [('shadow_request', answer(1, 0)), *plain]
    late = [*plain, ('shadow_request', answer(1, 0))]
    assert [scored(e).total('n_compared') for e in (early, late)] == [1, 1]


def test_an_answer_without_an_unbroken_record_after_it_is_not_compared():
    ends = states([0] * 5)
    gap = [*states([0] * 3), *states([0] * 8, first=6)]
    other_run = [*states([0] * 3), *states([0] * 8, run='b')]
    flashing = [*states([0] * 5), *states([0] * 4, first=6, mode=1)]
    for events in (ends, gap, other_run, flashing):
        score = scored(asked(events, answer(1, 0)))
        assert (score.total('n_answers'), score.total('n_compared')) == (1, 0)
        assert score.n_unmatched == 0


def test_an_answer_to_a_state_that_is_not_on_record_is_told_and_blocks_nobody():
    events = [*states([0] * 3), *states([0] * 9, first=6), ('shadow_request', answer(4, 0))]
    score = scored([*events, ('shadow_request', answer(6, 0))])
    assert score.n_unmatched == 1
    assert score.total('n_compared') == 1
    over = [*states([0] * 3), *states([0] * 9, run='b'), ('shadow_request', answer(2, 0))]
    score = scored([*over, ('shadow_request', answer(1, 0, run='b'))])
    assert score.n_unmatched == 1
    assert score.total('n_compared') == 1


# --- coverage ---------------------------------------------------------------------------------


def test_hours_are_counted_by_the_junctions_time_and_the_run():
    events = [*states([0] * 10, first=3595), *states([0] * 4, run='b', first=3590)]
    score = scored(events)
    covered = {key: hour.covered_s for key, hour in score.hours.items()}
    assert covered == {('a', 7): 5.0, ('a', 8): 5.0, ('b', 7): 4.0}
    assert score.n_states == 14


def test_missing_states_are_a_gap_with_its_length():
    score = scored([*states([0] * 3), *states([0] * 3, first=14)])
    assert score.gaps == [
        Gap(
            kind=GapKind.STATES_MISSING, run_id='a', after_s=SEVEN_S + 3, recorded_s=0.0,
            length_s=10.0, n_missing=10,
        )
    ]  # fmt: skip
    assert (score.n_missing, score.gap_s) == (10, 10.0)
    assert score.total('covered_s') == 6.0


def test_a_new_run_and_a_pause_are_gaps_by_the_wall_clock():
    score = scored(
        [
            ('signal_state', state(1), 100.0),
            ('signal_state', state(2), 101.0),
            ('signal_state', state(3), 150.0),
            ('signal_state', state(1, run='b'), 450.0),
            ('signal_state', state(2, run='b'), 461.0),  # a tick and ten seconds are no pause
        ]
    )
    found = [(gap.kind, gap.length_s, gap.recorded_s) for gap in score.gaps]
    assert found == [(GapKind.PAUSE, 49.0, 101.0), (GapKind.NEW_RUN, 300.0, 150.0)]
    assert (score.first_recorded_s, score.last_recorded_s) == (100.0, 461.0)


def test_an_answer_is_compared_across_a_mere_pause():
    events = [('signal_state', state(n), 0.0 if n < 3 else 100.0) for n in range(1, 9)]
    assert scored([*events, ('shadow_request', answer(1, 0))]).total('n_compared') == 1


def test_a_state_that_is_told_again_counts_once():
    again = [*states([0] * 3), *states([0] * 3, first=3), ('detectors', readings(3, 4.0))]
    score = scored([*again, ('detectors', readings(3, 4.0))])
    assert score.n_states == 5
    assert score.gap_counts.total() == 0
    assert score.total('read_s') == 1.0


def test_a_bridge_that_begins_anew_under_the_same_name_is_a_new_run():
    first = states([0] * 10)
    again = [
        ('signal_state', state(n, stamp=stamp(SEVEN_S + 60 + n)), 60.0 + n) for n in range(1, 11)
    ]
    read = [('detectors', readings(n, 1.0)) for n in range(1, 11)]
    score = scored([*first, *read, *again, *read])
    assert score.n_states == 20
    assert (score.total('covered_s'), score.total('read_s')) == (20.0, 20.0)
    assert score.gap_counts == {GapKind.NEW_RUN: 1}


@pytest.mark.parametrize('jump_s', [-200.0, 1800.0])
def test_a_clock_that_jumps_is_a_gap_though_no_state_is_missing(jump_s):
    before = states([0] * 10)
    after = [('signal_state', state(n, stamp=stamp(SEVEN_S + n + jump_s))) for n in range(11, 21)]
    score = scored([*before, *after])
    assert score.gap_counts == {GapKind.CLOCK: 1}
    assert score.gaps[0].length_s == pytest.approx(abs(jump_s + 1))
    assert score.n_missing == 0


def test_the_longest_gaps_are_kept_and_all_are_counted():
    events, n = [], 0
    for length in range(1, GAPS_KEPT + 51):
        events.append(('signal_state', state(n)))
        n += length + 1
    events.append(('signal_state', state(n)))
    score = scored(events)
    assert score.gap_counts[GapKind.STATES_MISSING] == GAPS_KEPT + 50
    assert [gap.n_missing for gap in score.gaps] == list(range(51, GAPS_KEPT + 51))


def test_fallback_and_flashing_are_timed():
    score = scored([*states([0] * 4, is_fallback=True), *states([0] * 3, first=5, mode=1)])
    assert (score.fallback_s, score.flash_s) == (4.0, 3.0)


# --- what else is counted ---------------------------------------------------------------------


def test_standing_vehicles_are_integrated_over_time():
    events = []
    for n, standing in ((1, 3.0), (2, 5.0), (3, 7.0)):  # one more stands on the advance loops
        events += [('signal_state', state(n)), ('detectors', readings(n, standing))]
    (hour,) = scored(events).hours.values()
    assert (hour.standing_veh_s, hour.read_s, hour.standing_veh) == (18.0, 3.0, 6.0)


def test_vetoes_are_counted_by_reason_and_only_those_of_the_shadow():
    reasons = ['policy', 'masked', 'masked', 'not finite']
    events = [('shadow_decision', verdict(n, reason)) for n, reason in enumerate(reasons)]
    events.append(('shadow_decision', verdict(9, 'stale', is_shadow=False)))
    score = scored(events)
    assert dict(score.reasons) == {'policy': 1, 'masked': 2, 'not finite': 1}
    assert (score.total('n_verdicts'), score.total('n_vetoes')) == (4, 3)


def test_oddity_and_latency_of_every_answer_are_kept_if_they_are_numbers():
    odd = answer(2, 0, is_out_of_distribution=True, out_of_distribution_score=2.0, latency_s=0.25)
    bad = answer(3, 0, out_of_distribution_score=float('nan'), latency_s=float('inf'))
    score = scored([('shadow_request', one) for one in (answer(1, 0), odd, bad)])
    assert score.total('n_out_of_distribution') == 1
    assert list(score.odd_scores) == [0.5, 2.0]
    assert list(score.latencies_s) == pytest.approx([0.001, 0.25])


def test_what_is_kept_does_not_grow_with_the_states():
    tally = Tally('crossing', 5.0)
    for n in range(1, 3000):
        tally.take('signal_state', state(n), float(n))
        tally.take('shadow_request', answer(n, 0), float(n))
    assert len(tally._states) <= 67
    assert len(tally._waiting) <= 6
    assert tally.finish().total('n_compared') == 2994


# --- bags -------------------------------------------------------------------------------------


class Writer:
    """Writes messages of our types to a segment, without ROS."""

    def __init__(self, folder: Path) -> None:
        self.segment = SegmentWriter(folder)
        self.n = 0

    def say(self, junction: str, name: str, type_name: str, **fields: Any) -> None:
        full = f'saferl_msgs/msg/{type_name}' if '/' not in type_name else type_name
        types = self.segment._types
        kind = types.types[full]
        time_s = fields.pop('time_s', None)
        if time_s is not None:
            time = types.types['builtin_interfaces/msg/Time']
            fields['stamp'] = time(sec=int(time_s), nanosec=0)
            fields['junction_id'] = junction
        for field, what in kind.__dataclass_fields__.items():
            if field not in fields and not field.isupper() and field != '__msgtype__':
                fields[field] = self._empty(str(what.type))
        data = bytes(types.serialize_cdr(kind(**fields), full))
        self.n += 1
        self.segment.write(f'/saferl/{junction}/{name}', full, self.n * 10**9, data)

    @staticmethod
    def _empty(annotation: str) -> Any:
        if 'ndarray' in annotation:
            is_bool = 'bool' in annotation
            return np.zeros(0, dtype=np.bool_ if is_bool else np.float32)
        return {'str': '', 'bool': False, 'float': 0.0}.get(annotation, 0)


def write_run(writer: Writer, junction: str, first: int, last: int, *, answers: bool) -> None:
    """A junction that keeps its stage, asked every five seconds."""
    plan, spec = crossing(junction_id=junction), crossing_spec()
    text = JunctionDescription(plan=plan, spec=spec, scenario={'name': 'x'}).to_text()
    writer.say(junction, 'description', 'std_msgs/msg/String', data=text)
    for n in range(first, last + 1):
        same = {'time_s': SEVEN_S + n, 'run_id': 'a'}
        writer.say(
            junction, 'signal_state', 'SignalState', **same, sequence=n, tick_s=1.0,
            legal_stages=np.ones(3, dtype=np.bool_),
        )  # fmt: skip
        queue_veh = np.array([2, 0, 0, 0], dtype=np.float32)
        writer.say(
            junction, 'detectors', 'DetectorReadings', **same, sequence=n, queue_veh=queue_veh
        )
        if answers and n % 5 == 0:
            writer.say(
                junction, 'shadow_request', 'StageRequest', **same, state_sequence=n,
                scores=np.array([1, 0, 0], dtype=np.float32), latency_s=0.002,
            )  # fmt: skip
            writer.say(
                junction, 'shadow_decision', 'ShieldDecision', **same, is_shadow=True,
                reason='policy',
            )  # fmt: skip


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Two segments of two junctions; nobody answered at the second junction."""
    folder = tmp_path / 'recording'
    folder.mkdir()
    for n, (first, last) in enumerate([(1, 30), (31, 60)]):
        writer = Writer(folder / f'segment_{n:05d}')
        write_run(writer, 'one', first, last, answers=True)
        write_run(writer, 'two', first, last, answers=False)
        writer.segment.close()
    return folder


@pytest.mark.ros
def test_a_bag_of_several_segments_is_one_record(recording: Path):
    one, two = score_bag(recording)
    assert (one.junction_id, two.junction_id) == ('one', 'two')
    assert one.gaps == []  # apart from the other junction's time between the segments
    assert (one.n_states, one.total('covered_s'), one.total('read_s')) == (60, 60.0, 60.0)
    assert one.total('standing_veh_s') == pytest.approx(120.0)
    assert (one.total('n_answers'), one.total('n_compared')) == (12, 11)
    assert one.total('n_agreed') == 11
    assert dict(one.reasons) == {'policy': 12}
    assert one.description is not None
    assert one.description.plan.n_stages == 3
    assert two.total('n_answers') == 0
    assert [s.junction_id for s in score_bag(recording, junction_id='one')] == ['one']


@pytest.mark.ros
def test_a_torn_segment_is_read_up_to_where_it_is_torn(recording: Path, tmp_path: Path):
    writer = Writer(tmp_path / 'segment_00002')
    write_run(writer, 'one', 61, 80, answers=True)
    writer.segment.flush()
    write_run(writer, 'one', 81, 90, answers=True)
    shutil.copytree(tmp_path / 'segment_00002', recording / 'segment_00002')  # as after a crash
    writer.segment.close()
    assert unfinished_segments(recording) == ['segment_00002']
    (one,) = score_bag(recording, junction_id='one')
    assert (one.n_states, one.total('n_answers')) == (80, 16)
    assert one.gaps == []


@pytest.mark.ros
@pytest.mark.parametrize('text', ['', 'rosbag2_bagfile_information: {'])
def test_a_segment_whose_metadata_are_damaged_is_read_all_the_same(recording: Path, text: str):
    (recording / 'segment_00001' / 'metadata.yaml').write_text(text)
    assert unfinished_segments(recording) == ['segment_00001']
    (one,) = score_bag(recording, junction_id='one')
    assert (one.n_states, one.total('n_answers')) == (60, 12)


@pytest.mark.ros
def test_a_segment_that_another_recorder_has_begun_is_refused_in_words(recording: Path):
    with pytest.raises(BagError, match=r'segment_00001.*name another folder'):
        SegmentWriter(recording / 'segment_00001')


@pytest.mark.ros
def test_what_is_no_shadow_run_is_refused_in_words(recording: Path, tmp_path: Path):
    with pytest.raises(BagError, match='is no bag'):
        score_bag(tmp_path / 'nowhere')
    with pytest.raises(BagError, match="no junction 'three'; it has: one, two"):
        score_bag(recording, junction_id='three')
    with pytest.raises(BagError, match=r'no answer of a policy in shadow .* for two'):
        score_bag(recording, junction_id='two')
    writer = Writer(tmp_path / 'foreign')
    writer.say('one', 'chatter', 'std_msgs/msg/String', data='hello')
    writer.segment.close()
    with pytest.raises(BagError, match='holds no state of a junction'):
        score_bag(tmp_path / 'foreign')
