"""The ways to fit a linear probe, each with the strengths that are tried unless others are set."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from latentmech.probe.lda import lda
from latentmech.probe.logistic import logistic
from latentmech.probe.mass_mean import mass_mean
from latentmech.probe.ridge import ridge
from latentmech.probe.solution import Fit


@dataclass(frozen=True)
class FitMethod:
    """A fit function and a path of strengths in falling order.

    Attributes:
        fit: accurate enough for dev to tell strengths apart: the last digits of a loss do not move its score.
        fit_loosely: the same to fewer digits, for control labellings: learning noise by heart takes many steps,
            and their scores differ more between seeds than between tolerances.
        path: strengths to try.
    """

    fit: Fit
    fit_loosely: Fit
    path: tuple[float, ...]


METHODS = {
    "logistic": FitMethod(
        logistic,
        # What must be learned by heart is not learned from an eighth of the rows: no start from there.
        partial(logistic, tolerance=1e-2, from_fewer=False),
        (0.03, 0.01, 0.003, 0.001, 0.0003, 0.0001),
    ),
    "ridge": FitMethod(ridge, ridge, (1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001)),
    "lda": FitMethod(lda, lda, (0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.001)),
    "mass_mean": FitMethod(mass_mean, mass_mean, (0.0,)),
}


def method_of(name: str, strengths: Sequence[float] | None) -> FitMethod:
    """The method called `name`, with its own path or the one given."""
    path = METHODS[name].path if strengths is None else tuple(sorted(map(float, strengths), reverse=True))
    return replace(METHODS[name], path=path)
