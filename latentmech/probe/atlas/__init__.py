"""The layer atlas: many tasks at every level of a model, over what the words alone give away."""

from typing import TYPE_CHECKING

from latentmech.lazily import lazily

if TYPE_CHECKING:
    from latentmech.probe.atlas.settings import AtlasSettings
    from latentmech.probe.atlas.study import AtlasStudy

__getattr__, __dir__, __all__ = lazily(__name__)
