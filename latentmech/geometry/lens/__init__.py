"""What every level would say if it were the last."""

from typing import TYPE_CHECKING

from latentmech.lazily import lazily

if TYPE_CHECKING:
    from latentmech.geometry.lens.settings import LensSettings
    from latentmech.geometry.lens.study import LensStudy

__getattr__, __dir__, __all__ = lazily(__name__)
