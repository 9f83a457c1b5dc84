"""Steering: interventions on the residual stream, what they bring about and what they cost."""

from latentmech.steering.ablations import KINDS, Plan, ablation
from latentmech.steering.gate import threshold
from latentmech.steering.generation import completions
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

__all__ = [
    "KINDS",
    "Ablation",
    "Addition",
    "AffineAblation",
    "CausalSelection",
    "Clamp",
    "Composed",
    "Conditional",
    "Letters",
    "Necessity",
    "Plan",
    "RefusalRate",
    "Requests",
    "Rotation",
    "Scale",
    "SteeringStudy",
    "Stems",
    "TrialSource",
    "Trials",
    "ablation",
    "calibrated",
    "completions",
    "is_refusal",
    "threshold",
]
