"""Linear probes: what can be read off a layer, and how much of it the controls explain."""

from typing import TYPE_CHECKING

from latentmech.lazily import lazily

if TYPE_CHECKING:
    from latentmech.probe.atlas.settings import AtlasSettings
    from latentmech.probe.atlas.study import AtlasStudy
    from latentmech.probe.findings import ProbeFindings
    from latentmech.probe.fitting import Fitting
    from latentmech.probe.linear_probe import LinearProbe
    from latentmech.probe.methods import METHODS
    from latentmech.probe.problem import Problem, problem_of
    from latentmech.probe.sample import Sample, sample_of
    from latentmech.probe.scores import logits_on_test
    from latentmech.probe.settings import ProbeSettings
    from latentmech.probe.solution import Solution
    from latentmech.probe.study import ProbeStudy

__getattr__, __dir__, __all__ = lazily(__name__)
