"""What one junction may show: links, stages, conflicts and times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
import hashlib
import json
from typing import Any, Self

from saferl_ros.errors import SignalPlanError

GREEN_LAMPS = frozenset('Gg')  # G protected, g permissive: SUMO's signal state letters
RED_LAMPS = frozenset('rs')  # s: right turn after a full stop, red in every other respect
MATRICES = ('foes', 'yields', 'min_red_s', 'yellow_s', 'all_red_s', 'walk_clear_s')
TURN_DIRECTIONS = frozenset('lLrRt')  # SUMO's connection directions that are no straight-ahead


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One lamp, and the movement from a lane over the junction that obeys it."""

    index: int  # position of the lamp in the lamp string
    from_lane: str
    to_lane: str
    direction: str  # SUMO's letter: s straight, l L left, r R right, t turn-around
    speed_mps: float  # posted speed of the approach
    crossing_m: float  # way from the stop line to the far end; of a crossing, kerb to kerb
    grade_ratio: float = 0.0  # slope of the approach, uphill positive
    is_crossing: bool = False  # a pedestrian crossing: green is walk, red is don't walk
    others: tuple[tuple[str, str], ...] = ()  # (from lane, to lane) of further movements that obey

    @property
    def ways(self) -> tuple[tuple[str, str], ...]:
        """From which lane to which vehicles go by this lamp; of none it is empty."""
        if self.is_crossing or not self.from_lane:
            return ()
        return ((self.from_lane, self.to_lane), *self.others)

    @property
    def is_turn(self) -> bool:
        """Whether the movement turns, so that permissive green can mean anything for it."""
        return self.direction in TURN_DIRECTIONS and not self.is_crossing


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Movements that hold green together."""

    lamps: str  # one letter per link: G g r s
    min_green_s: float
    max_green_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramInterval:
    """One stage of a fixed-time program and the green it is given [s]."""

    stage_index: int
    green_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalPlan:
    """
    Everything that decides which lamps one junction may show.

    The plan is data: it travels as JSON in records and bundles, and ``fingerprint`` tells two
    plans apart. Its consistency is checked when it is made.

    :raises SignalPlanError: if shapes disagree, a stage shows conflicting greens, a clearance is
        shorter than its links need, or ``max_red_s`` cannot be kept.
    """

    junction_id: str
    clearance: str  # name of the clearance profile: legal, net, resco
    links: tuple[Link, ...]
    stages: tuple[Stage, ...]
    foes: tuple[tuple[bool, ...], ...]  # (n_links, n_links), symmetric: paths cross or merge
    yields: tuple[tuple[bool, ...], ...]  # [i][j]: link i must give way to link j
    min_yellow_s: tuple[float, ...]  # (n_links,) shortest yellow of the link
    min_red_s: tuple[tuple[float, ...], ...]  # (n_links, n_links) [i][j]: how long vehicle link i
    # must have been red before its foe j may start
    yellow_s: tuple[tuple[float, ...], ...]  # (n_stages, n_stages), zero on the diagonal
    all_red_s: tuple[tuple[float, ...], ...]  # (n_stages, n_stages)
    walk_clear_s: tuple[
        tuple[float, ...], ...
    ]  # (n_stages, n_stages) before the yellow: crossings
    # that lose walk clear while everything else stays as it is
    min_walk_s: tuple[float, ...]  # (n_links,) shortest walk of a crossing, zero for vehicles
    walk_clearance_s: tuple[float, ...]  # (n_links,) from the end of walk until a foe may start
    max_red_s: float  # longest wait of a movement with demand until its green
    program: tuple[ProgramInterval, ...]  # the network's own plan, in its order
    offset_s: float  # start of the program's first stage after simulated time zero
    protected_turn_clears: bool  # a protected turn that turns permissive gets its own yellow
    also_clears: tuple[tuple[int, int, tuple[int, ...]], ...] = ()  # (a, b, links): the network's
    # own program clears these links from stage a to b though both give them a right

    def __post_init__(self) -> None:
        n_links, n_stages = len(self.links), len(self.stages)
        if n_stages == 0 or n_links == 0:
            raise SignalPlanError(
                f"junction '{self.junction_id}' has {n_stages} stages and {n_links} links; "
                'a plan needs at least one of each'
            )
        for name, matrix, size in (
            ('foes', self.foes, n_links),
            ('yields', self.yields, n_links),
            ('min_red_s', self.min_red_s, n_links),
            ('yellow_s', self.yellow_s, n_stages),
            ('all_red_s', self.all_red_s, n_stages),
            ('walk_clear_s', self.walk_clear_s, n_stages),
        ):
            if len(matrix) != size or any(len(row) != size for row in matrix):
                raise SignalPlanError(
                    f"junction '{self.junction_id}': {name} must be {size} x {size}"
                )
        for name, vector in (
            ('min_yellow_s', self.min_yellow_s),
            ('min_walk_s', self.min_walk_s),
            ('walk_clearance_s', self.walk_clearance_s),
        ):
            if len(vector) != n_links:
                raise SignalPlanError(
                    f"junction '{self.junction_id}': {name} must have {n_links} values"
                )
        self._check_stages()
        self._check_clearances()
        if self.max_red_s < self.round_s():
            raise SignalPlanError(
                f"junction '{self.junction_id}': max_red_s = {self.max_red_s:g} cannot be kept; "
                f'serving every stage once takes {self.round_s():g} s; allow at least that'
            )

    def _check_stages(self) -> None:
        n_links = len(self.links)
        for index, stage in enumerate(self.stages):
            if len(stage.lamps) != n_links or not set(stage.lamps) <= GREEN_LAMPS | RED_LAMPS:
                raise SignalPlanError(
                    f"junction '{self.junction_id}', stage {index}: lamps '{stage.lamps}' must be "
                    f'{n_links} letters out of G g r s'
                )
            if not 0 < stage.min_green_s <= stage.max_green_s:
                raise SignalPlanError(
                    f"junction '{self.junction_id}', stage {index}: need "
                    f'0 < min green ({stage.min_green_s:g}) <= max green ({stage.max_green_s:g})'
                )
            for i, j in self.conflicts(stage.lamps):
                raise SignalPlanError(
                    f"junction '{self.junction_id}', stage {index} shows green to links {i} and "
                    f'{j}, whose paths conflict'
                )

    def _check_clearances(self) -> None:
        for stage, _ in enumerate(self.stages):
            walk_s = max((self.min_walk_s[link] for link in self.greens(stage)), default=0.0)
            if self.stages[stage].min_green_s < walk_s:
                raise SignalPlanError(
                    f"junction '{self.junction_id}', stage {stage}: min green "
                    f'{self.stages[stage].min_green_s:g} s is shorter than its walk of '
                    f'{walk_s:g} s'
                )
        for a in range(len(self.stages)):
            for b in range(len(self.stages)):
                for link in self.losing(a, b):
                    self._check_clearance(a, b, link)

    def _check_clearance(self, a: int, b: int, link: int) -> None:
        """Check the clearance of one link that loses green between two stages."""
        if self.links[link].is_crossing:
            found_s, required_s = self.intergreen_s(a, b), self.walk_clearance_s[link]
            what = 'pedestrian clearance'
        elif self.yellow_s[a][b] < self.min_yellow_s[link]:
            found_s, required_s = self.yellow_s[a][b], self.min_yellow_s[link]
            what = 'yellow'
        else:
            found_s, what = self.all_red_s[a][b], 'all-red'
            required_s = self.needed_red_s(a, b, link, self.min_red_s[link])
        if found_s < required_s - 1e-9:
            raise SignalPlanError(
                f"junction '{self.junction_id}', stage {a} to {b}: {what} of {found_s:g} s is "
                f'shorter than link {link} needs: {required_s:g} s'
            )

    @property
    def n_links(self) -> int:
        """Number of links, which is the length of every lamp string."""
        return len(self.links)

    @property
    def n_stages(self) -> int:
        """Number of stages, which is the number of actions."""
        return len(self.stages)

    def conflicts(self, lamps: str) -> list[tuple[int, int]]:
        """
        Return the pairs of links that must not hold these greens together.

        A permissive turn (``g``) may stand beside a foe that it gives way to.

        :param lamps: lamp string, one letter per link.
        """
        green = [i for i, lamp in enumerate(lamps) if lamp in GREEN_LAMPS]
        return [
            (i, j)
            for n, i in enumerate(green)
            for j in green[n + 1 :]
            if self.foes[i][j]
            and not self._gives_way(i, j, lamps)
            and not self._gives_way(j, i, lamps)
        ]

    def _gives_way(self, i: int, j: int, lamps: str) -> bool:
        return lamps[i] == 'g' and self.links[i].is_turn and self.yields[i][j]

    def greens(self, stage: int) -> list[int]:
        """Return the links that hold green in a stage."""
        return [i for i, lamp in enumerate(self.stages[stage].lamps) if lamp in GREEN_LAMPS]

    def losing(self, a: int, b: int) -> list[int]:
        """Return the links that lose green when stage ``a`` is followed by stage ``b``."""
        if a == b:
            return []
        before, after = self.stages[a].lamps, self.stages[b].lamps
        also = self._also(a, b)
        return [
            link
            for link in self.greens(a)
            if (
                after[link] not in GREEN_LAMPS
                or (self.protected_turn_clears and before[link] == 'G' and after[link] == 'g')
                or link in also
            )
        ]

    def starting(self, a: int, b: int) -> list[int]:
        """Return the links that stage ``b`` gives a right they do not have in stage ``a``."""
        before, losing = self.stages[a].lamps, set(self.losing(a, b))
        return [
            link
            for link in self.greens(b)
            if before[link] not in GREEN_LAMPS
            or link in losing
            or (before[link] == 'g' and self.stages[b].lamps[link] == 'G')
        ]

    def needed_red_s(self, a: int, b: int, link: int, red_s: Sequence[float]) -> float:
        """
        Return the all-red that a link which loses green needs between two stages [s].

        A foe that does not start with stage ``b`` waits through the minimum green of it as well.

        :param red_s: how long the link must be red before each other one may start.
        """
        starting, waits_s = self.starting(a, b), self.stages[b].min_green_s
        return max(
            (
                red_s[foe] - (0.0 if foe in starting else waits_s)
                for foe in range(self.n_links)
                if self.foes[link][foe]
            ),
            default=0.0,
        )

    def _also(self, a: int, b: int) -> set[int]:
        return {link for x, y, links in self.also_clears if (x, y) == (a, b) for link in links}

    def clearance_lamps(self, a: int, b: int, losing_lamp: str) -> str:
        """
        Return the lamps on the way from stage ``a`` to stage ``b``.

        A link that is green in both stages keeps the right it had until the change is over; a
        crossing that loses its walk is red from the first moment on.

        :param losing_lamp: what vehicle links that lose green show: ``G`` while only crossings
            clear (each keeps the green it had), then ``y``, and then ``r``.
        """
        losing = set(self.losing(a, b))
        also = self._also(a, b)
        lamps = []
        for link, (before, after) in enumerate(
            zip(self.stages[a].lamps, self.stages[b].lamps, strict=True)
        ):
            if link in losing:
                kept = before if losing_lamp == 'G' else losing_lamp
                lamps.append('r' if self.links[link].is_crossing else kept)
            elif before in GREEN_LAMPS:
                lamps.append(before)
            else:
                stays = before == 's' and after != 'r' and link not in also
                lamps.append('s' if stays else 'r')
        return ''.join(lamps)

    def change_lamps(self, a: int, b: int) -> tuple[tuple[float, str], ...]:
        """
        Return the intervals between stage ``a`` and stage ``b``: (duration [s], lamps).

        Walk clearance, yellow, all-red, in this order; those of no length are left out.
        """
        return tuple(
            (duration_s, self.clearance_lamps(a, b, lamp))
            for duration_s, lamp in (
                (self.walk_clear_s[a][b], 'G'),
                (self.yellow_s[a][b], 'y'),
                (self.all_red_s[a][b], 'r'),
            )
            if duration_s > 0
        )

    def intergreen_s(self, a: int, b: int) -> float:
        """Return the time from the end of stage ``a`` to the start of stage ``b`` [s]."""
        return self.walk_clear_s[a][b] + self.yellow_s[a][b] + self.all_red_s[a][b]

    def entering_s(self, stage: int) -> float:
        """Return the longest clearance before ``stage`` can start [s]."""
        return max(self.intergreen_s(a, stage) for a in range(self.n_stages))

    def cover_stages(self, without: frozenset[int] = frozenset()) -> dict[int, tuple[int, ...]]:
        """
        Return a small set of stages that together serve every link that any stage serves.

        :param without: stages that are not to be used; a link that only they serve is left out.
        :returns: stage index to the links it answers for; a link stands under one stage only.
        """
        greens = {s: set(self.greens(s)) for s in range(self.n_stages) if s not in without}
        open_links = set().union(*greens.values())
        cover: dict[int, tuple[int, ...]] = {}
        while open_links:
            best = max(greens, key=lambda s: (len(greens[s] & open_links), -s))
            cover[best] = tuple(sorted(greens[best] & open_links))
            open_links -= greens[best]
        return cover

    def round_s(self, without: frozenset[int] = frozenset()) -> float:
        """
        Return how long it takes to serve every link once, with every clearance [s].

        :param without: stages that are not to be used.
        """
        longest_s = max(
            self.entering_s(s) + stage.min_green_s for s, stage in enumerate(self.stages)
        )
        cover = self.cover_stages(without)
        return longest_s + sum(
            self.entering_s(stage) + self.stages[stage].min_green_s for stage in cover
        )

    def cycle_s(self) -> float:
        """Return the cycle length of the network's own program under these clearances [s]."""
        order = [interval.stage_index for interval in self.program]
        following = order[1:] + order[:1]
        return sum(i.green_s for i in self.program) + sum(
            self.intergreen_s(a, b) for a, b in zip(order, following, strict=True)
        )

    def to_json(self) -> dict[str, Any]:
        """Return the plan as JSON-ready data; ``from_json`` is its inverse."""
        data = asdict(self)
        for link in data['links']:
            if not link['others']:  # as before lamps could be shared: such plans are the same
                del link['others']
        return data

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """
        Return the plan that ``to_json`` wrote.

        :raises SignalPlanError: if a field is missing, unknown or inconsistent.
        """
        try:
            return cls(
                **{
                    **data,
                    'links': tuple(
                        Link(**{**link, 'others': tuple(map(tuple, link.get('others', ())))})
                        for link in data['links']
                    ),
                    'stages': tuple(Stage(**stage) for stage in data['stages']),
                    'program': tuple(ProgramInterval(**part) for part in data['program']),
                    'also_clears': tuple((a, b, tuple(c)) for a, b, c in data['also_clears']),
                    'min_yellow_s': tuple(data['min_yellow_s']),
                    **{name: tuple(data[name]) for name in ('min_walk_s', 'walk_clearance_s')},
                    **{name: tuple(tuple(row) for row in data[name]) for name in MATRICES},
                }
            )
        except (KeyError, TypeError) as error:
            raise SignalPlanError(f'not a signal plan: {error}') from error

    def fingerprint(self) -> str:
        """Return a short hash of everything in the plan; equal plans have equal hashes."""
        canonical = json.dumps(self.to_json(), sort_keys=True, separators=(',', ':'))
        return hashlib.sha256(canonical.encode()).hexdigest()[:16]
