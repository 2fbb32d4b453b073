"""
The faults that ``benchmarks/mutants.py`` plants: (name, old text, new text), file by file.

Each is one plausible mistake. The old text occurs exactly once in its file.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutant:
    """One planted fault."""

    name: str
    file: str  # inside saferl_ros/
    old: str  # must occur exactly once
    new: str


def group(file: str, *faults: tuple[str, str, str]) -> list[Mutant]:
    """Return the mutants of one file: (name, old text, new text)."""
    return [Mutant(name, file, old, new) for name, old, new in faults]


MUTANTS = [
    *group(
        'signals/sequencer.py',
        # --- clearances
        ('no clearance between stages', 'return tuple(line)', 'return ()'),
        (
            'yellow one tick short',
            'end += self._ticks(duration_s)\n',
            "end += self._ticks(duration_s) - ('y' in lamps)\n",
        ),
        (
            'all-red one tick short',
            'end += self._ticks(duration_s)\n',
            "end += self._ticks(duration_s) - (not set('Ggy') & set(lamps))\n",
        ),
        (
            'walk clearance one tick short',
            'end += self._ticks(duration_s)\n',
            "end += self._ticks(duration_s) - bool(set('Gg') & set(lamps) and 'y' not in lamps)\n",
        ),
        (
            'clearance rounded down to ticks',
            'return math.ceil(duration_s / self.step_s - 1e-9)',
            'return math.floor(duration_s / self.step_s + 1e-9)',
        ),
        (
            'clearance of the opposite change',
            'self._change = self._changes[self.previous_stage][target]',
            'self._change = self._changes[target][self.previous_stage]',
        ),
        (
            'clearance of the change before',
            'self._change = self._changes[self.previous_stage][target]',
            'self._change = self._change or self._changes[self.previous_stage][target]',
        ),
        (
            'change without clearing',
            'self._change = self._changes[self.previous_stage][target]\n'
            '        self.is_clearing = True',
            'self._change = self._changes[self.previous_stage][target]\n'
            '        self.is_clearing = False',
        ),
        (
            'clearance ends one tick early',
            'self._in_interval >= self._change[-1][0]):',
            'self._in_interval >= self._change[-1][0] - 1):',
        ),
        (
            'clearance ends with its first interval',
            'self._in_interval >= self._change[-1][0]):',
            'self._in_interval >= self._change[0][0]):',
        ),
        (
            'clearance ends one tick late',
            'self._in_interval >= self._change[-1][0]):',
            'self._in_interval > self._change[-1][0]):',
        ),
        (
            'intervals of a clearance shifted by a tick',
            'if self._in_interval < end)',
            'if self._in_interval <= end)',
        ),
        (
            'last interval of a clearance from its start',
            'return next(lamps for end, lamps in self._change if self._in_interval < end)',
            'return self._change[-1][1]',
        ),
        # --- lamps
        (
            'two links swapped in the lamps',
            'return self.plan.stages[self.stage].lamps\n',
            'lamps = self.plan.stages[self.stage].lamps\n'
            '            return lamps[1] + lamps[0] + lamps[2:]\n',
        ),
        (
            'lamps in reverse order',
            'return self.plan.stages[self.stage].lamps\n',
            'return self.plan.stages[self.stage].lamps[::-1]\n',
        ),
        (
            'the old stage again after the clearance',
            'return self.plan.stages[self.stage].lamps\n',
            'return self.plan.stages[self.previous_stage].lamps\n',
        ),
        (
            'the next stage instead of its clearance',
            'if not self.is_clearing:\n            return self.plan.stages[self.stage].lamps\n',
            'if True:\n            return self.plan.stages[self.stage].lamps\n',
        ),
        # --- minimum and maximum green
        (
            'minimum green ignored',
            'return not self.is_clearing and self._in_interval >= self._min_green[self.stage]',
            'return not self.is_clearing',
        ),
        (
            'minimum green one tick short',
            'return not self.is_clearing and self._in_interval >= self._min_green[self.stage]',
            'return not self.is_clearing and self._in_interval + 1 >= self._min_green[self.stage]',
        ),
        (
            'minimum green of another stage',
            'return not self.is_clearing and self._in_interval >= self._min_green[self.stage]',
            'return not self.is_clearing and self._in_interval >= min(self._min_green)',
        ),
        (
            'clearance counted as green',
            'self.is_clearing = False\n            self._in_interval = 0\n',
            'self.is_clearing = False\n',
        ),
        (
            'maximum green ignored',
            'if self._in_interval >= self._max_green[self.stage] and not self._is_only_stage:',
            'if False:',
        ),
        (
            'maximum green one tick long',
            'if self._in_interval >= self._max_green[self.stage] and',
            'if self._in_interval > self._max_green[self.stage] and',
        ),
        (
            'maximum green of another stage',
            'if self._in_interval >= self._max_green[self.stage] and',
            'if self._in_interval >= max(self._max_green) and',
        ),
        (
            'maximum green rounded up to ticks',
            'math.floor(s.max_green_s / step_s + 1e-9)',
            'math.ceil(s.max_green_s / step_s - 1e-9)',
        ),
        (
            'the only stage left is not kept',
            'self._is_only_stage = self.plan.n_stages - len(self._omitted) == 1',
            'self._is_only_stage = False',
        ),
        (
            'green before the start forgotten',
            'self._in_interval = self._ticks(initial_green_s)',
            'self._in_interval = 0',
        ),
        # --- maximum red
        (
            'maximum red ignored',
            'self._max_red = math.floor(bound_s / self.step_s + 1e-9)',
            'self._max_red = 10**9',
        ),
        (
            'maximum red one tick long',
            'self._max_red = math.floor(bound_s / self.step_s + 1e-9)',
            'self._max_red = math.floor(bound_s / self.step_s + 1e-9) + 1',
        ),
        (
            'maximum red rounded up to ticks',
            'self._max_red = math.floor(bound_s / self.step_s + 1e-9)',
            'self._max_red = math.ceil(bound_s / self.step_s - 1e-9)',
        ),
        (
            'maximum red that omitted stages make impossible',
            'bound_s = max(self.plan.max_red_s, self.plan.round_s(self._omitted))',
            'bound_s = self.plan.max_red_s',
        ),
        ('entering clearance not counted', 'needed += self._entering[waiting]\n', 'needed += 0\n'),
        (
            'shortest entering clearance counted',
            'self._entering = [max(self._clear[a][b] for a in stages) for b in stages]',
            'self._entering = [min(self._clear[a][b] for a in stages) for b in stages]',
        ),
        (
            'minimum greens of others not counted',
            'needed += self._min_green[waiting]\n',
            'needed += 0\n',
        ),
        (
            'only the last deadline counts',
            'latest = min(latest, deadline - needed)',
            'latest = deadline - needed',
        ),
        ('deadlines unsorted', 'deadlines.sort()', 'pass'),
        ('deadlines latest first', 'deadlines.sort()', 'deadlines.sort(reverse=True)'),
        (
            'latest call of a stage instead of its first',
            'if called is not None and called < first and link not in served:',
            'if called is not None and (first == _FAR or called > first) and link not in served:',
        ),
        ('own deadline not looked at', 'if self._misses_deadline(stage, start):', 'if False:'),
        (
            'a deadline missed by one tick is kept',
            'latest = start - self._max_red\n',
            'latest = start - self._max_red - 1\n',
        ),
        (
            'minimum green of a request not counted',
            'return start + self._min_green[stage] <= self._latest_end(stage)',
            'return start <= self._latest_end(stage)',
        ),
        (
            'a request may end one tick after its latest end',
            'return start + self._min_green[stage] <= self._latest_end(stage)',
            'return start + self._min_green[stage] <= self._latest_end(stage) + 1',
        ),
        (
            'clearance to a request of the opposite change',
            'start = self._now + self._clear[self.stage][stage]',
            'start = self._now + self._clear[stage][self.stage]',
        ),
        (
            'clearance to a request not counted',
            'start = self._now + self._clear[self.stage][stage]',
            'start = self._now',
        ),
        (
            'green kept one tick too long',
            'return self._now <= self._keep_until',
            'return self._now <= self._keep_until + 1',
        ),
        (
            'bound on keeping computed once only',
            'lamps, calls\n            self._keep_until = None\n',
            'lamps, calls\n',
        ),
        (
            'infeasible stage forced',
            'if stage != self.stage and legal[stage]:',
            'if stage != self.stage:',
        ),
        (
            'least urgent stage forced',
            'for stage in [*urgent, self._following',
            'for stage in [*urgent[::-1], self._following',
        ),
        # --- calls
        (
            'call forgotten when its vehicle leaves',
            'called_at[link] = None\n            elif',
            'called_at[link] = None\n            elif calls is not None and not calls[link]:\n'
            '                called_at[link] = None\n            elif',
        ),
        (
            'wait starts anew with every change of calls',
            'elif called_at[link] is None and (calls is None or calls[link]):',
            'elif calls is None or calls[link]:',
        ),
        (
            'call not ended by green',
            'if lamp in GREEN_LAMPS:\n                called_at[link] = None\n',
            'if lamp in GREEN_LAMPS:\n                pass\n',
        ),
        (
            'permissive green does not end a call',
            'if lamp in GREEN_LAMPS:\n                called_at[link] = None\n',
            "if lamp == 'G':\n                called_at[link] = None\n",
        ),
        (
            'nobody waits where no calls are known',
            '(calls is None or calls[link])',
            '(calls is not None and calls[link])',
        ),
        (
            'call counted one tick late',
            'called_at[link] = self._now - 1\n',
            'called_at[link] = self._now\n',
        ),
        # --- requests
        (
            'request accepted while clearing',
            'return RequestVerdict.CLEARING\n',
            'self.stage = wanted\n',
        ),
        (
            'request out of range accepted',
            'if not 0 <= wanted < self.plan.n_stages:',
            'if not 0 <= wanted <= self.plan.n_stages:',
        ),
        (
            'negative request accepted',
            'if not 0 <= wanted < self.plan.n_stages:',
            'if not wanted < self.plan.n_stages:',
        ),
        (
            'hostile request raises',
            'wanted = as_index(stage)  # type: ignore[arg-type]\n        except Exception:',
            'wanted = as_index(stage)  # type: ignore[arg-type]\n        except TypeError:',
        ),
        ('request beyond a bound accepted', 'if not self.legal_stages()[wanted]:', 'if False:'),
        (
            'request within minimum green kept for later',
            'return RequestVerdict.ACCEPTED if wanted == self.stage else RequestVerdict.MIN_GREEN',
            'self._requested = wanted\n            return RequestVerdict.ACCEPTED',
        ),
        (
            'request obeyed for ever',
            'target = self.stage if self._requested is None else self._requested\n'
            '        self._requested = None\n',
            'target = self.stage if self._requested is None else self._requested\n',
        ),
        (
            'request forgotten',
            'self._requested = wanted\n        self._quiet_until = 0\n',
            'self._quiet_until = 0\n',
        ),
        (
            'request does not wake a quiet junction',
            'self._requested = wanted\n        self._quiet_until = 0\n',
            'self._requested = wanted\n',
        ),
        (
            'every stage always legal',
            'legal = [self._is_feasible(stage) for stage in range(self.plan.n_stages)]\n',
            'legal = [True] * self.plan.n_stages\n',
        ),
        (
            'every stage legal within the minimum green',
            'return [stage == self.stage for stage in range(self.plan.n_stages)]',
            'return [True] * self.plan.n_stages',
        ),
        (
            'legal stages of an earlier tick',
            'if self._legal_at != self._now:',
            'if self._legal_at < 0:',
        ),
        ('legal stages handed out, not copied', 'return self._legal.copy()', 'return self._legal'),
        (
            'request called forced',
            'elif target != self.stage:\n            self.is_forced = False',
            'elif target != self.stage:\n            self.is_forced = True',
        ),
        # --- the quiet fast path
        (
            'quiet one tick too long',
            'if self._now < self._quiet_until and calls == self._last_calls:',
            'if self._now <= self._quiet_until and calls == self._last_calls:',
        ),
        (
            'quiet whatever the calls',
            'if self._now < self._quiet_until and calls == self._last_calls:',
            'if self._now < self._quiet_until:',
        ),
        (
            'quiet ticks not counted',
            'self._now += 1\n            self._in_interval += 1\n',
            'self._in_interval += 1\n',
        ),
        (
            'quiet green not counted',
            'self._now += 1\n            self._in_interval += 1\n',
            'self._now += 1\n',
        ),
        (
            'quiet past the bound on keeping',
            'return min(self._now + longest - self._in_interval, self._keep_until + 1)',
            'return min(self._now + longest - self._in_interval, self._keep_until + 2)',
        ),
        (
            'quiet past the maximum green',
            'return min(self._now + longest - self._in_interval, self._keep_until + 1)',
            'return self._keep_until + 1',
        ),
        (
            'quiet past the minimum green',
            'return self._now + least - self._in_interval',
            'return self._now + least - self._in_interval + 1',
        ),
        (
            'quiet past the end of an interval',
            'next((end for end, _ in self._change if end >= self._in_interval), 0)',
            'next((end for end, _ in self._change if end > self._in_interval), 0)',
        ),
        (
            'quiet past the end of a preemption',
            'self._quiet_until = min(self._quiet_end(), self._preempted_until)',
            'self._quiet_until = self._quiet_end()',
        ),
        (
            'quiet green is not service',
            '                self._last_green_at[self.stage] = self._now\n            return',
            '                pass\n            return',
        ),
        # --- preemption
        (
            'preemption without minimum green',
            'if self.is_decision_due:\n            self._decide()',
            'if self.is_decision_due or (self.is_preempted and not self.is_clearing):\n'
            '            self._decide()',
        ),
        (
            'preemption without clearance',
            'self._preempted_for, self._requested = wanted, None\n',
            'self._preempted_for, self._requested = wanted, None\n'
            '        self.stage, self.is_clearing = wanted, False\n',
        ),
        (
            'preemption interrupts a clearance',
            'self._preempted_for, self._requested = wanted, None\n',
            'self._preempted_for, self._requested = wanted, None\n'
            '        if self.is_clearing:\n            self._begin_change(wanted)\n',
        ),
        ('preemption never times out', 'if self._now >= self._preempted_until:', 'if False:'),
        (
            'preemption times out one tick late',
            'if self._now >= self._preempted_until:',
            'if self._now > self._preempted_until:',
        ),
        (
            'preemption without limit',
            'is_bounded = 0 < timeout_s <= MAX_PREEMPTION_S',
            'is_bounded = 0 < timeout_s <= 1e6',
        ),
        (
            'preemption for no time accepted',
            'is_bounded = 0 < timeout_s <= MAX_PREEMPTION_S',
            'is_bounded = 0 <= timeout_s <= MAX_PREEMPTION_S',
        ),
        (
            'preemption until no number accepted',
            'is_bounded = 0 < timeout_s <= MAX_PREEMPTION_S',
            'is_bounded = not (timeout_s <= 0 or timeout_s > MAX_PREEMPTION_S)',
        ),
        (
            'request beside a preemption accepted',
            'if self._preempted_for is not None and wanted != self._preempted_for:',
            'if False:',
        ),
        (
            'other stages legal during a preemption',
            'return [stage == self._preempted_for for stage in range(self.plan.n_stages)]',
            'return [True for stage in range(self.plan.n_stages)]',
        ),
        (
            'preempted stage not held',
            'if self._preempted_for != self.stage:\n                self.is_forced = True\n',
            'if self._preempted_for != self.stage or not self._may_keep():\n'
            '                self.is_forced = True\n',
        ),
        (
            'end of a preemption ignored',
            'self._preempted_for, self._preempted_until = None, _FAR\n'
            '            self._restart_red_bound()',
            'self._restart_red_bound()',
        ),
        (
            'waits not restarted after a preemption',
            'self._preempted_for, self._preempted_until = None, _FAR\n'
            '            self._restart_red_bound()',
            'self._preempted_for, self._preempted_until = None, _FAR',
        ),
        (
            'waits forgotten instead of restarted',
            'self._called_at = [None if at is None else self._now for at in self._called_at]',
            'self._called_at = [None for at in self._called_at]',
        ),
        (
            'waits kept instead of restarted',
            'self._called_at = [None if at is None else self._now for at in self._called_at]',
            'pass',
        ),
        ('restarted waits kept from the monitor', 'self.red_bound_epoch += 1\n', 'pass\n'),
        (
            'waits restarted with every change',
            'self.is_clearing = True\n        self._in_interval = 0\n\n    def _lamps_now',
            'self.is_clearing = True\n        self._in_interval = 0\n'
            '        self._restart_red_bound()\n\n    def _lamps_now',
        ),
        (
            'request outlives an event',
            'self.red_bound_epoch += 1\n        self._requested = None\n',
            'self.red_bound_epoch += 1\n',
        ),
        # --- omitted stages
        (
            'omitted stage may be requested',
            'if stage in self._omitted:\n            return False\n',
            'if False:\n            return False\n',
        ),
        (
            'omitted stage kept while it shows',
            'if self.stage in self._omitted:\n            return False\n        if self._in_int',
            'if self._in_int',
        ),
        ('all stages can be omitted', 'if not omitted < everyone:', 'if not omitted <= everyone:'),
        (
            'omitted stages add up',
            'self._omitted = omitted\n',
            'self._omitted = self._omitted | omitted\n',
        ),
        (
            'omitted stage still counted on for service',
            'self._cover = self.plan.cover_stages(self._omitted)',
            'self._cover = self.plan.cover_stages()',
        ),
        (
            'cover not renewed with omitted stages',
            'self._omitted = omitted\n            self._use_cover()\n',
            'self._omitted = omitted\n',
        ),
        (
            'omitted stage forced',
            's for s in range(self.plan.n_stages) if s != self.stage and s not in self._omitted\n',
            's for s in range(self.plan.n_stages) if s != self.stage\n',
        ),
        (
            'emergency vehicle sent into a stage out of service',
            'if wanted in self._omitted:\n            return RequestVerdict.OMITTED\n',
            'if False:\n            return RequestVerdict.OMITTED\n',
        ),
        (
            'stage taken from an emergency vehicle',
            'if self._preempted_for in omitted:',
            'if False:',
        ),
        # --- restart
        (
            'restart with a stage that is out of service',
            'if stage in self._omitted:\n            stage = min(',
            'if False:\n            stage = min(',
        ),
        (
            'restart without all-red',
            'self.is_clearing, self.is_forced = True, False',
            'self.is_clearing, self.is_forced = False, False',
        ),
        ('start-up red one second short', 'START_UP_RED_S = 6.0', 'START_UP_RED_S = 5.0'),
        (
            'restart goes on where the clearance was',
            'self.is_clearing, self.is_forced = True, False\n        self._in_interval = 0\n',
            'self.is_clearing, self.is_forced = True, False\n',
        ),
        (
            'restart into a running preemption',
            'self._preempted_for, self._preempted_until = None, _FAR\n        self._restart',
            'self._restart',
        ),
        # --- copies
        ('fork shares the calls', 'twin._called_at = self._called_at.copy()', 'pass'),
        (
            'fork shares the times of service',
            'twin._last_green_at = self._last_green_at.copy()',
            'pass',
        ),
        (
            'covered links not told from others',
            'if called is not None and called < latest and self._is_covered[link]:',
            'if called is not None and called < latest:',
        ),
    ),
    *group(
        'signals/plan.py',
        (
            'crossing keeps its walk while it clears',
            "lamps.append('r' if self.links[link].is_crossing else kept)",
            "lamps.append(before if losing_lamp == 'G' else 'r' if self.links[link].is_crossing"
            ' else kept)',
        ),
        (
            'crossing shows yellow',
            "lamps.append('r' if self.links[link].is_crossing else kept)",
            'lamps.append(kept)',
        ),
        (
            'vehicles lose their green before their yellow',
            "kept = before if losing_lamp == 'G' else losing_lamp",
            "kept = 'r' if losing_lamp == 'G' else losing_lamp",
        ),
        (
            'right of the next stage during the clearance',
            'elif before in GREEN_LAMPS:\n                lamps.append(before)',
            'elif before in GREEN_LAMPS:\n                lamps.append(after)',
        ),
        (
            'next stage starts during the clearance',
            "lamps.append('s' if stays else 'r')",
            "lamps.append('s' if stays else after)",
        ),
        (
            'turn on red allowed against the next stage',
            "stays = before == 's' and after != 'r' and link not in also",
            "stays = before == 's'",
        ),
        (
            'protected turn turns permissive without yellow',
            "or (self.protected_turn_clears and before[link] == 'G' and after[link] == 'g')\n"
            '                or link in also',
            'or link in also',
        ),
        (
            'own clearances of the program dropped',
            '                or link in also\n            )',
            '            )',
        ),
        (
            'losing and winning mixed up',
            'before, after = self.stages[a].lamps, self.stages[b].lamps\n        also',
            'before, after = self.stages[a].lamps, self.stages[a].lamps\n        also',
        ),
        ('walk clearance left out', "                (self.walk_clear_s[a][b], 'G'),\n", ''),
        ('yellow left out', "                (self.yellow_s[a][b], 'y'),\n", ''),
        ('all-red left out', "                (self.all_red_s[a][b], 'r'),\n", ''),
        (
            'all-red before yellow',
            "(self.yellow_s[a][b], 'y'),\n                (self.all_red_s[a][b], 'r'),\n",
            "(self.all_red_s[a][b], 'r'),\n                (self.yellow_s[a][b], 'y'),\n",
        ),
        (
            'all-red one second short, in the plan',
            "                (self.all_red_s[a][b], 'r'),\n",
            "                (self.all_red_s[a][b] - 1, 'r'),\n",
        ),
        (
            'yellow of the opposite change',
            "                (self.yellow_s[a][b], 'y'),\n",
            "                (self.yellow_s[b][a], 'y'),\n",
        ),
        (
            'conflicting greens not seen',
            'if self.foes[i][j]\n            and not self._gives_way(i, j, lamps)',
            'if False\n            and not self._gives_way(i, j, lamps)',
        ),
        (
            'protected greens excused as permissive',
            "return lamps[i] == 'g' and self.links[i].is_turn and self.yields[i][j]",
            'return self.links[i].is_turn and self.yields[i][j]',
        ),
        (
            'traffic straight on excused as permissive',
            "return lamps[i] == 'g' and self.links[i].is_turn and self.yields[i][j]",
            "return lamps[i] == 'g' and self.yields[i][j]",
        ),
        ('a plan with short clearances accepted', 'if found_s < required_s - 1e-9:', 'if False:'),
        (
            'a plan with short walks accepted',
            'if self.stages[stage].min_green_s < walk_s:',
            'if False:',
        ),
        (
            'a plan that cannot keep its maximum red accepted',
            'if self.max_red_s < self.round_s():',
            'if False:',
        ),
        ('a round without the running green', 'return longest_s + sum(', 'return sum('),
        (
            'a link without a stage in the cover',
            'while open_links:\n',
            'while len(open_links) > 1:\n',
        ),
    ),
    *group(
        'signals/pairing.py',
        ('shortest yellow of a change', 'yellow[a][b] = max(', 'yellow[a][b] = min('),
        (
            'shortest all-red of a change',
            'all_red[a][b] = max(\n                    least_red_s, *(',
            'all_red[a][b] = min(\n                    least_red_s, *(',
        ),
        (
            'least all-red only',
            'least_red_s, *(plan.needed_red_s(a, b, link, red_s[link]) for link in vehicles)',
            'least_red_s, 0.0',
        ),
        (
            'all-red of the opposite change',
            'plan.needed_red_s(a, b, link, red_s[link])',
            'plan.needed_red_s(b, a, link, red_s[link])',
        ),
        (
            'no walk clearance',
            'walk_clear[a][b] = max(0.0, walkers_s - yellow[a][b] - all_red[a][b])',
            'walk_clear[a][b] = 0.0',
        ),
        ('walk clearance of the quickest crossing', 'walkers_s = max(', 'walkers_s = min('),
        (
            'walk clearance counted double',
            'walk_clear[a][b] = max(0.0, walkers_s - yellow[a][b] - all_red[a][b])',
            'walk_clear[a][b] = max(0.0, walkers_s - 2 * yellow[a][b] - all_red[a][b])',
        ),
        (
            'crossings that lose green not looked at',
            'walkers_s = max((walk_clearance_s[link] for link in losing), default=0.0)',
            'walkers_s = max((walk_clearance_s[link] for link in vehicles), default=0.0)',
        ),
    ),
    *group(
        'shield/shield.py',
        # --- what is refused
        ('stale proposal accepted', 'if age_s > self._limits.max_age_s:', 'if False:'),
        (
            'proposal grown stale while it waited obeyed',
            'reason = self._judge_age(now_s - waiting.stamp_s)',
            'reason = None',
        ),
        (
            'proposal from the future accepted',
            'if age_s < -self._limits.max_future_s:',
            'if False:',
        ),
        ('proposal without a time accepted', 'if not math.isfinite(age_s):', 'if False:'),
        (
            'proposal for another junction accepted',
            'if proposal.junction_id != self.plan.junction_id:',
            'if False:',
        ),
        (
            'repeated proposal accepted',
            'if self._last_sequence is not None and sequence <= self._last_sequence:',
            'if self._last_sequence is not None and sequence < self._last_sequence:',
        ),
        (
            'scores that are no numbers accepted',
            'if not all(math.isfinite(score) for score in scores):',
            'if False:',
        ),
        ('too few scores accepted', 'if len(scores) != n_stages:', 'if len(scores) > n_stages:'),
        ('too many scores accepted', 'if len(scores) != n_stages:', 'if len(scores) < n_stages:'),
        (
            'negative stage accepted from a policy',
            'return stage if 0 <= stage < n_stages else',
            'return stage if stage < n_stages else',
        ),
        (
            'stage beyond the last accepted from a policy',
            'return stage if 0 <= stage < n_stages else',
            'return stage if 0 <= stage <= n_stages else',
        ),
        ('flood not dammed', 'if len(heard_s) == heard_s.maxlen and', 'if False and'),
        (
            'flood counted for ever',
            'now_s < heard_s[0] + 1.0):',
            'True):',
        ),
        (
            'flood dammed for ever once the clock was set back',
            'if heard_s and now_s < heard_s[-1]:',
            'if False:',
        ),
        (
            'hostile proposal raises',
            'except Exception:  # noqa: BLE001 - a field may do anything when looked at',
            'except TypeError:  # noqa: BLE001 - a field may do anything when looked at',
        ),
        (
            'refused proposal takes the place of a good one',
            'self._last_refusal = judged\n',
            'self._last_refusal, self._pending = judged, None\n',
        ),
        (
            'refused proposal uses up its number',
            'choice = self._judge_choice(proposal)\n',
            'self._last_sequence, choice = sequence, self._judge_choice(proposal)\n',
        ),
        # --- what is asked
        (
            'proposal obeyed again and again',
            'waiting, self._pending = self._pending, None\n',
            'waiting = self._pending\n',
        ),
        (
            'masked stage passed on',
            'return waiting.choice if legal[waiting.choice] else ShieldReason.MASKED',
            'return waiting.choice',
        ),
        ('masked scores count', '            if is_legal\n', ''),
        ('worst score chosen', 'return -max(scored)[1] if', 'return -min(scored)[1] if'),
        (
            'masked stage asked by the fallback',
            'if not legal[wanted]:\n            wanted = stage',
            'if False:\n            wanted = stage',
        ),
        (
            'fallback by the wrong clock',
            'self.program.stage_at(self._now_s if math.isnan(clock_s) else clock_s)',
            'self.program.stage_at(self._now_s)',
        ),
        # --- the latch
        (
            'fallback not latched',
            'self.latch(self._last_refusal or ShieldReason.SILENT)\n            return None\n',
            'return self._fallback(now_s, stage, legal, ShieldReason.SILENT)\n',
        ),
        (
            'fallback left by a good proposal',
            'self._pending = judged\n',
            'self._pending, self.latched_by = judged, None\n',
        ),
        (
            'fallback left with the end of an alarm',
            'self._was_alarmed = is_alarmed\n',
            'if self._was_alarmed and not is_alarmed:\n            self.rearm()\n'
            '        self._was_alarmed = is_alarmed\n',
        ),
        (
            'patience without end',
            'if self._unanswered_s >= self._limits.patience_s - 1e-9:',
            'if False:',
        ),
        (
            'patience one question too long',
            'if self._unanswered_s >= self._limits.patience_s - 1e-9:',
            'if self._unanswered_s > self._limits.patience_s:',
        ),
        (
            'patience counted anew with every question',
            'self._unanswered_s += open_s if open_s > 0 else 0.0',
            'self._unanswered_s = open_s if open_s > 0 else 0.0',
        ),
        (
            'patience counted while nobody is asked',
            'self._asked_at_s = None\n\n    def _is_unlike',
            'pass\n\n    def _is_unlike',
        ),
        (
            'alarm of the guard ignored',
            'if self.latched_by is None and self._is_unlike_the_record():',
            'if False:',
        ),
        (
            'guard that fails trusted',
            'is_alarmed = True\n',
            'is_alarmed = False\n',
        ),
        (
            'alarm keeps a proposal for later',
            'self._forget_question()\n            return self._fallback',
            'return self._fallback',
        ),
        (
            'clock that stands still trusted',
            'not now_s > self._now_s:  # NaN too',
            'not now_s >= self._now_s:  # NaN too',
        ),
        (
            'clock that is no number trusted',
            'not now_s > self._now_s:  # NaN too',
            'now_s <= self._now_s:  # NaN too',
        ),
        (
            'latch keeps a waiting proposal',
            'self.latched_by = reason\n        self._forget_question()\n',
            'self.latched_by = reason\n',
        ),
        (
            'first reason of a latch overwritten',
            'if self.latched_by is None:\n            self.latched_by = reason',
            'if True:\n            self.latched_by = reason',
        ),
        (
            're-armed with a proposal from before',
            'self._last_sequence = None\n        self._forget_question()\n',
            'self._last_sequence = None\n',
        ),
    ),
    *group(
        'shield/cabinet.py',
        # --- monitor and flash
        (
            'faulty lamps shown, flash a tick later',
            'decision, lamps = self._run(now_s, clock_s, calls)\n'
            '                if not self.monitor.is_latched:\n',
            'was_latched = self.monitor.is_latched\n'
            '                decision, lamps = self._run(now_s, clock_s, calls)\n'
            '                if not was_latched:\n',
        ),
        ('monitor not listened to', 'if not self.monitor.is_latched:\n', 'if True:\n'),
        (
            'monitor reads the lamps of the tick before',
            'self.monitor.step(lamps, calls, is_held=sequencer.is_held)',
            "lamps, self._seen = getattr(self, '_seen', lamps), lamps\n"
            '        self.monitor.step(lamps, calls, is_held=sequencer.is_held)',
        ),
        (
            'monitor not told of calls',
            'self.monitor.step(lamps, calls, is_held=sequencer.is_held)',
            'self.monitor.step(lamps, None, is_held=sequencer.is_held)',
        ),
        (
            'monitor told that somebody always holds',
            'is_held=sequencer.is_held',
            'is_held=True',
        ),
        (
            'monitor not told that somebody holds',
            'is_held=sequencer.is_held',
            'is_held=False',
        ),
        (
            'monitor not told of restarted waits',
            'if sequencer.red_bound_epoch != self._epoch:',
            'if False:',
        ),
        (
            'failure of the loop raised',
            'except Exception as error:  # noqa: BLE001',
            'except KeyError as error:  # noqa: BLE001',
        ),
        (
            'flash left by itself',
            'self.mode = CabinetMode.FLASH\n            self.shield.latch',
            'self.monitor.reset()\n            self.shield.latch',
        ),
        (
            'policy still armed after flash',
            'self.mode = CabinetMode.FLASH\n            self.shield.latch(ShieldReason.MONITOR)\n',
            'self.mode = CabinetMode.FLASH\n',
        ),
        ('dark instead of flash', "FLASH_LAMP = 'o'", "FLASH_LAMP = 'O'"),
        # --- the way back
        (
            'reset without start-up red',
            'self.sequencer.restart(self.shield.program.first_stage)',
            'pass',
        ),
        (
            'reset with the stage that showed last',
            'self.sequencer.restart(self.shield.program.first_stage)',
            'self.sequencer.restart(self.sequencer.stage)',
        ),
        (
            'reset leaves the monitor latched',
            '            self.monitor.reset()\n            self.failure = None\n',
            '            self.failure = None\n',
        ),
        (
            'reset re-arms the policy',
            'self.failure = None\n            self.sequencer.restart',
            'self.failure = None\n            self.shield.rearm()\n'
            '            self.sequencer.restart',
        ),
        (
            'reset trusts whoever re-armed during flash',
            'if not self.shield.is_latched:',
            'if False:',
        ),
        (
            'reset restarts a running junction',
            'if self.mode is CabinetMode.FLASH:\n            if',
            'if True:\n            if',
        ),
        (
            'reset stays in flash',
            '            self.mode = CabinetMode.RUNNING\n',
            '',
        ),
        # --- the loop
        (
            'policy asked while an emergency vehicle has the junction',
            'and not self.sequencer.is_preempted\n',
            '',
        ),
        (
            'shield asked while an emergency vehicle has the junction',
            'if sequencer.is_decision_due and not sequencer.is_preempted:',
            'if sequencer.is_decision_due:',
        ),
        (
            'policy asked every tick',
            'and self._kept_ticks >= self._decision_ticks\n',
            '',
        ),
        (
            'broken detector flashes the junction',
            'except Exception:  # noqa: BLE001 - a broken detector is no reason to flash',
            'except KeyError:  # noqa: BLE001 - a broken detector is no reason to flash',
        ),
        (
            'nobody called where the detectors are broken',
            'return there if len(there) == n_links else (True,) * n_links',
            'return there if len(there) == n_links else (False,) * n_links',
        ),
        (
            'stuck detectors believed',
            'there = self.watch.update(there, now_s)',
            'self.watch.update(there, now_s)',
        ),
        ('shield of another plan accepted', 'if shield.plan != plan:', 'if False:'),
    ),
    *group(
        'shield/detector_watch.py',
        (
            'movement with a stuck detector not called',
            'bool(is_there) or link in self.faults or not',
            'bool(is_there) or not',
        ),
        (
            'movement without a detector not called',
            'or link in self.faults or not self._has_detector[link]\n',
            'or link in self.faults\n',
        ),
        ('detectors never judged', 'if now_s - since_s > longest_s:', 'if False:'),
        (
            'stuck detector trusted when the clock goes back',
            'self._changed_at_s[link] = now_s\n                continue',
            'self._changed_at_s[link] = now_s\n                self.faults.pop(link, None)\n'
            '                continue',
        ),
    ),
    *group(
        'shield/fallback.py',
        (
            'program without its offset',
            '(read_clock(clock_s) - self._offset_s) % self.cycle_s',
            'read_clock(clock_s) % self.cycle_s',
        ),
        (
            'program without its clearances',
            'end_s += plan.intergreen_s(part.stage_index, following)',
            'end_s += 0',
        ),
        (
            'program with greens below their minimum',
            'end_s += max(part.green_s, plan.stages[part.stage_index].min_green_s)',
            'end_s += part.green_s',
        ),
    ),
]

EXPLAINED = {  # mutants that change nothing anybody can see, and why
    'covered links not told from others': (
        'an omitted stage is refused before its deadlines are looked at, and the cover of the '
        'others holds every link that one of them serves'
    ),
    'omitted stage forced': (
        'an omitted stage is never legal, and what is forced is legal as long as there is no dead '
        'end; that there is none is walked exhaustively'
    ),
    'policy asked while an emergency vehicle has the junction': (
        'then the only legal stage is that of the emergency vehicle, and where only one stage is '
        'legal the policy is not asked anyway'
    ),
}
QUICK = (  # a few of every kind, for the test suite
    'no clearance between stages',
    'yellow one tick short',
    'minimum green one tick short',
    'two links swapped in the lamps',
    'call forgotten when its vehicle leaves',
    'preemption without clearance',
    'walk clearance left out',
    'hostile proposal raises',
)
