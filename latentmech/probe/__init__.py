"""Linear probes: what can be read off a layer, and how much of it the controls explain."""

from latentmech.probe.atlas import AtlasStudy
from latentmech.probe.lda import lda
from latentmech.probe.linear_probe import LinearProbe
from latentmech.probe.logistic import logistic
from latentmech.probe.mass_mean import mass_mean
from latentmech.probe.methods import METHODS
from latentmech.probe.ridge import ridge
from latentmech.probe.sample import Sample, sample_of
from latentmech.probe.solution import Solution
from latentmech.probe.study import ProbeStudy

__all__ = [
    "METHODS",
    "AtlasStudy",
    "LinearProbe",
    "ProbeStudy",
    "Sample",
    "Solution",
    "lda",
    "logistic",
    "mass_mean",
    "ridge",
    "sample_of",
]
