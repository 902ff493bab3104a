"""Optuna's part of a search: what to try next, what to end early, which settings mattered.

What Optuna is told is rebuilt from the written trials, and its generator is seeded by the trial's number, so that a
search that was killed proposes what it would have proposed.
"""

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.commands.tune.material import Material
from pipeline.commands.tune.space import Knob
from pipeline.commands.tune.study import Study, Tried

if TYPE_CHECKING:
    import optuna

WARM_TRIALS, WARM_SHARE, FEWEST_EPOCHS = 5, 0.2, 2  # trials, and the share of a trial's epochs, before any is pruned
HALVING = 3  # of hyperband: a third of the trials goes on
FEWEST_WHOLE = 10  # trials, before it is told which settings mattered


@dataclass(kw_only=True)
class Proposals:
    """Asks Optuna."""

    material: Material

    def over(self, found: Study) -> "optuna.Study":
        """Optuna's study of the trials that have ended."""
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        direction = optuna.study.StudyDirection.MAXIMIZE if found.sign > 0 else optuna.study.StudyDirection.MINIMIZE
        made = optuna.create_study(study_name="tune", direction=direction, pruner=self._pruner())
        for trial in found.ended:
            made.add_trial(self._told(trial))
        return made

    def propose(self, found: Study) -> dict[str, Any]:
        """The values of the next trial: the first has today's."""
        number = len(found.trials)
        if not number:
            return self._today()
        asked = self.ask(found, number)
        return {knob.name: knob.rounded(self._suggested(asked, knob)) for knob in self._of(asked)}

    def ask(self, found: Study, number: int) -> "optuna.Trial":
        """Optuna's trial of that number."""
        import optuna

        made = self.over(found)
        seeds = np.random.SeedSequence([found.seed, number])
        made.sampler = optuna.samplers.TPESampler(seed=int(seeds.generate_state(1)[0]))
        return made.ask()

    def _today(self) -> dict[str, Any]:
        backbone = self._backbone()
        knobs = [knob for knob in self.material.knobs if knob.backbone in (None, backbone)]
        return {knob.name: knob.today for knob in knobs}

    def _backbone(self) -> str | None:
        return next((knob.backbone for knob in self.material.knobs if knob.backbone), None)

    def _of(self, asked: "optuna.Trial") -> list[Knob]:
        """The knobs of the trial's backbone, which is asked first."""
        knobs = self.material.knobs
        backbone = self._suggested(asked, knobs[0]) if knobs[0].key == "model" else self._backbone()
        return [knob for knob in knobs if knob.backbone in (None, backbone)]

    def _suggested(self, asked: "optuna.Trial", knob: Knob) -> Any:
        if knob.values:
            return json.loads(asked.suggest_categorical(knob.name, [json.dumps(value) for value in knob.values]))
        if knob.whole:
            return asked.suggest_int(knob.name, int(knob.low), int(knob.high), log=knob.log)
        return asked.suggest_float(knob.name, knob.low, knob.high, log=knob.log)

    def _told(self, trial: Tried) -> "optuna.trial.FrozenTrial":
        import optuna

        state = {"complete": "COMPLETE", "pruned": "PRUNED", "failed": "FAIL"}[trial.state]
        known = {knob.name: knob for knob in self.material.knobs}
        return optuna.trial.create_trial(
            state=optuna.trial.TrialState[state],
            params={n: json.dumps(value) if known[n].values else value for n, value in trial.values.items()},
            distributions={name: distribution(known[name]) for name in trial.values},
            intermediate_values=dict(enumerate(trial.scores, 1)),
            value=trial.score if trial.state == "complete" else None,
        )

    def _pruner(self) -> "optuna.pruners.BasePruner":
        import optuna

        epochs, patience = self.material.length
        warm = max(FEWEST_EPOCHS, min(patience, round(WARM_SHARE * epochs)))
        match self.material.tune.pruning:
            case "median":
                return optuna.pruners.MedianPruner(n_startup_trials=WARM_TRIALS, n_warmup_steps=warm)
            case "hyperband":
                return optuna.pruners.HyperbandPruner(
                    min_resource=warm, max_resource=max(warm, epochs), reduction_factor=HALVING
                )
            case "none":
                return optuna.pruners.NopPruner()


def distribution(knob: Knob) -> "optuna.distributions.BaseDistribution":
    """The knob as Optuna has it: values that are listed stand as JSON."""
    import optuna

    if knob.values:
        return optuna.distributions.CategoricalDistribution([json.dumps(value) for value in knob.values])
    if knob.whole:
        return optuna.distributions.IntDistribution(int(knob.low), int(knob.high), log=knob.log)
    return optuna.distributions.FloatDistribution(knob.low, knob.high, log=knob.log)


def importances(found: Study, material: Material) -> dict[str, float]:
    """Which share of the differences between whole trials each knob explains; none of fewer than ten trials.

    By fANOVA (Hutter et al. 2014), over the knobs that all trials have.
    """
    import optuna

    if len(found.of_state("complete")) < FEWEST_WHOLE:
        return {}
    made = Proposals(material=material).over(found)
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=found.seed)
    return dict(optuna.importance.get_param_importances(made, evaluator=evaluator))
