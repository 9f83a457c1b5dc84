"""The methods by name. A method is a function from labelled rows to a vector."""

from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor

from latentmech.direction.difference_of_means import difference_of_means
from latentmech.direction.lda import lda
from latentmech.direction.leace import leace
from latentmech.direction.logistic import logistic
from latentmech.direction.pca_of_differences import pca_of_differences
from latentmech.direction.sample import Sample
from latentmech.errors import BadInput, expected

Method = Callable[[Sample], Float[Tensor, " d_model"]]

METHODS: dict[str, Method] = {
    "difference_of_means": difference_of_means,
    "pca_of_differences": pca_of_differences,
    "lda": lda,
    "logistic": logistic,
    "leace": leace,
}


def method_of(name: str) -> Method:
    """The method of that name."""
    if name not in METHODS:
        raise BadInput(f"direction.method={name} is unknown; {expected(name, METHODS)}")
    return METHODS[name]
