"""How to learn: one frozen model, read from YAML."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from saferl_ros.errors import ConfigError
from saferl_ros.yaml_file import CONFIG

ALGORITHMS = ('cql', 'bc', 'dqn')
HiddenUnits = Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1)]  # by layer


class QLearningConfig(BaseModel):
    """Conservative Q-learning and, with one such network and the same data, offline Double DQN."""

    model_config = CONFIG

    steps: int = Field(default=20_000, ge=1)
    """Gradient steps."""
    alpha: float = Field(default=0.005, ge=0)
    """Weight of the conservative term; dqn ignores it."""
    gamma: float = Field(default=0.97, gt=0, lt=1)
    """Discount per 5 s of simulated time."""
    reward_mean: float = Field(default=1.0, gt=0)
    """
    Rewards are scaled to this mean per 5 s; the larger, the more errors count by their size
    and not their square, and the less alpha weighs.
    """
    shaping: float = Field(default=0.0, ge=0, le=1)
    """
    How much of a reward is taken as change: 0 as recorded, 1 against the last interval going on
    for ever. The best policy stays the same, and a jam that no decision ends drowns it less.
    """
    n_steps: int = Field(default=1, ge=1)
    """Decisions whose rewards are summed before a bootstrap."""
    discount_by_time: bool = True
    """A decision of 15 s counts as three; else each counts as one."""
    hidden_units: HiddenUnits = (32, 32)
    """
    Of each layer; larger ones learn the noise of the record. One network for all junctions takes
    the width alone.
    """
    mask_illegal: bool = True
    """Never bootstrap from a stage that the automaton would refuse."""
    ensemble: int = Field(default=10, ge=1, le=50)
    """Networks; their mean decides and teaches."""
    pessimism: float = Field(default=0.0, ge=0)
    """
    Standard deviations between the networks that are taken off their mean: stages that they
    disagree on must promise more.
    """
    n_critics: int = Field(default=1, ge=1)
    """Ensembles; the lower one is the target."""
    n_quantiles: int = Field(default=0, ge=0)
    """Above zero: a distribution of returns, one network."""
    learning_rate: float = Field(default=5e-4, gt=0)
    """Adam's."""
    weight_decay: float = Field(default=0.0, ge=0)
    """AdamW's: how fast weights that nothing needs shrink, per step and learning rate."""
    falling_rate: bool = True
    """To zero along a cosine: late steps refine, they no longer roam."""
    averaging: float = Field(default=0.999, ge=0, lt=1)
    """
    Decay of the running mean of the weights that is exported; zero exports the last step's
    weights.
    """
    batch_size: int = Field(default=256, ge=1)
    """Transitions per step."""
    target_update_interval: int = Field(default=1000, ge=1)
    """Steps between two copies into the target network."""
    max_weight: float = Field(default=20.0, ge=1)
    """Samples weigh 1 / behaviour probability, up to this."""
    balance: Literal['none', 'changes', 'clusters', 'roots'] = 'none'
    """
    What batches hold in equal shares: changes of stage and what keeps it, or 20 clusters of
    states, or these in shares of the root of what they have; none draws by the weights alone.
    """

    @model_validator(mode='after')
    def _one_of_both(self) -> QLearningConfig:
        if self.n_quantiles and self.ensemble > 1:
            raise ValueError(f'n_quantiles {self.n_quantiles} is for one network: add ensemble: 1')
        if self.pessimism and self.ensemble == 1:
            raise ValueError(
                f'pessimism {self.pessimism:g} needs an ensemble of at least 2, which can disagree'
            )
        return self


class CloningConfig(BaseModel):
    """Behaviour cloning: imitates the own plan, the honest baseline."""

    model_config = CONFIG

    steps: int = Field(default=6_000, ge=1)
    """Gradient steps."""
    hidden_units: HiddenUnits = (128, 128)
    """Of each layer."""
    learning_rate: float = Field(default=1e-3, gt=0)
    """Adam's."""
    batch_size: int = Field(default=256, ge=1)
    """Transitions per step."""
    beta: float = Field(default=0.0, ge=0)
    """Penalty on large logits."""


class FqeConfig(BaseModel):
    """Fitted Q evaluation on held-out episodes: a view of value without simulating."""

    model_config = CONFIG

    steps: int = Field(default=1_000, ge=0)
    """Gradient steps of an estimate; zero leaves it out."""
    gamma: float = Field(default=0.95, gt=0, lt=1)
    """
    Discount per 5 s; 0.95 looks 100 s ahead: farther, values feed on themselves where the
    record has thinned out.
    """
    repeats: int = Field(default=3, ge=1)
    """
    Estimates from other first weights, the same ones for every policy; their mean counts. One
    alone errs by as much as policies differ.
    """
    times: int = Field(default=2, ge=1)
    """How often during a training, the last at its end."""


class TrainConfig(BaseModel):
    """Everything that decides a training."""

    model_config = ConfigDict(**CONFIG, coerce_numbers_to_str=True)

    algorithms: tuple[str, ...] = ('cql', 'bc')
    """cql, bc (behaviour cloning), dqn (offline double DQN)."""
    seeds: tuple[Annotated[int, Field(ge=0, lt=2**32)], ...] = Field(default=(1,), min_length=1)
    """A training each."""
    holdout_share: float = Field(default=0.1, ge=0, lt=1)
    """Episodes kept for TD error and FQE."""
    shared: bool = False
    """One network for all junctions (not bc, which imitates each plan)."""
    leave_out: tuple[str, ...] = ()
    """Junctions that the shared network does not learn from."""
    cql: QLearningConfig = QLearningConfig()
    """Of cql and dqn."""
    bc: CloningConfig = CloningConfig()
    fqe: FqeConfig = FqeConfig()

    @field_validator('algorithms')
    @classmethod
    def _known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            if name not in ALGORITHMS:
                raise ValueError(f"must be out of {', '.join(ALGORITHMS)}, not '{name}'")
        if not value:
            raise ValueError(f'must name at least one of {", ".join(ALGORITHMS)}')
        return value

    @field_validator('seeds')
    @classmethod
    def _differ(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(value)) < len(value):
            raise ValueError('must differ: the same seed trains the same policy')
        return value

    @model_validator(mode='after')
    def _of_effect(self) -> TrainConfig:
        if self.leave_out and not self.shared:
            raise ValueError(
                "leave_out needs 'shared: true': a network for each junction leaves out none"
            )
        q = self.cql
        if self.shared and (q.n_quantiles or not q.mask_illegal or len(set(q.hidden_units)) > 1):
            raise ValueError(
                "'shared: true' has a network of its own, masked and without quantiles, whose "
                'layers are all of one width: leave out n_quantiles and mask_illegal, and state '
                'one width'
            )
        if self.shared and set(self.algorithms) == {'bc'}:
            raise ValueError(
                "'shared: true' is not for bc, which imitates each junction's plan; add cql or dqn"
            )
        return self

    def check_left_out(self, junction_ids: Sequence[str]) -> None:
        """
        Refuse what ``leave_out`` cannot mean for these junctions.

        :raises ConfigError: if it names another junction, or all of them.
        """
        for left_out in self.leave_out:
            if left_out not in junction_ids:
                raise ConfigError(
                    f"leave_out names junction '{left_out}', which is not among those here: "
                    f'{", ".join(junction_ids)}'
                )
        if not set(junction_ids) - set(self.leave_out):
            raise ConfigError('leave_out names every junction, so none is left to learn from')
