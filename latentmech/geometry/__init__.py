"""Where things lie in a latent space, what its levels say, how it differs from another, and how far to believe it."""

from typing import TYPE_CHECKING

from latentmech.lazily import lazily

if TYPE_CHECKING:
    from latentmech.geometry.analogies import AnalogiesSettings, AnalogiesStudy
    from latentmech.geometry.clusters import kmeans, partition_agreement
    from latentmech.geometry.compare import CompareSettings, CompareStudy
    from latentmech.geometry.dimension import DimensionSettings, DimensionStudy
    from latentmech.geometry.interpolation import InterpolationSettings, InterpolationStudy
    from latentmech.geometry.lens import LensSettings, LensStudy
    from latentmech.geometry.map import MapSettings, MapStudy
    from latentmech.geometry.neighbours import NeighboursSettings, NeighboursStudy

__getattr__, __dir__, __all__ = lazily(__name__)
