"""Steering: interventions on the residual stream, what they bring about and what they cost."""

from typing import TYPE_CHECKING

from latentmech.lazily import lazily

if TYPE_CHECKING:
    from latentmech.steering.ablations import KINDS, Plan, ablation
    from latentmech.steering.gate import threshold
    from latentmech.steering.generation import Variant, completions, next_logits
    from latentmech.steering.interventions import (
        Ablation,
        Addition,
        AffineAblation,
        Clamp,
        Composed,
        Conditional,
        Rotation,
    )
    from latentmech.steering.necessity import Necessity
    from latentmech.steering.refusals import RefusalRate, is_refusal
    from latentmech.steering.selection import CausalSelection
    from latentmech.steering.strength import Scale, calibrated
    from latentmech.steering.study import SteeringStudy, TrialSource
    from latentmech.steering.trials import Letters, Requests, Stems, Trials

__getattr__, __dir__, __all__ = lazily(__name__)
