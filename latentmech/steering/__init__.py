"""Steering: interventions on the residual stream, what they bring about and what they cost."""

from typing import TYPE_CHECKING

from latentmech.lazily import lazily

if TYPE_CHECKING:
    from latentmech.model import Ablation, Addition, AffineAblation, Clamp, Composed, Conditional, Rotation
    from latentmech.steering.edits import EDIT_KINDS, EditKind, Steerer, Strength, calibrated, threshold
    from latentmech.steering.findings import SteeringFindings
    from latentmech.steering.generation import Variant, completions, next_logits
    from latentmech.steering.interventions import Plan, ablation
    from latentmech.steering.necessity import Necessity, RefusalRate, is_refusal
    from latentmech.steering.selection import CausalSelection
    from latentmech.steering.settings import (
        ABLATIONS,
        EDITS,
        UNITS,
        CausalSettings,
        LettersSettings,
        NecessitySettings,
        RefusalRateSettings,
        RequestsSettings,
        SteeringSettings,
        StemsSettings,
    )
    from latentmech.steering.study import SteeringStudy
    from latentmech.steering.trials import Letters, Requests, Stems, Trials, TrialSource

__getattr__, __dir__, __all__ = lazily(__name__)
