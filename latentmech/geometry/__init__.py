"""Where things lie in a latent space, what its levels say, how it differs from another, and how far to believe it."""

from typing import TYPE_CHECKING

from latentmech.lazily import lazily

if TYPE_CHECKING:
    from latentmech.geometry.analogies.settings import AnalogiesSettings
    from latentmech.geometry.analogies.study import AnalogiesStudy
    from latentmech.geometry.clusters import kmeans, partition_agreement
    from latentmech.geometry.compare.settings import CompareSettings
    from latentmech.geometry.compare.study import CompareStudy
    from latentmech.geometry.dimension.settings import DimensionSettings
    from latentmech.geometry.dimension.study import DimensionStudy
    from latentmech.geometry.interpolation.settings import InterpolationSettings
    from latentmech.geometry.interpolation.study import InterpolationStudy
    from latentmech.geometry.lens.settings import LensSettings
    from latentmech.geometry.lens.study import LensStudy
    from latentmech.geometry.map.settings import MapSettings
    from latentmech.geometry.map.study import MapStudy
    from latentmech.geometry.neighbours.settings import NeighboursSettings
    from latentmech.geometry.neighbours.study import NeighboursStudy

__getattr__, __dir__, __all__ = lazily(__name__)
