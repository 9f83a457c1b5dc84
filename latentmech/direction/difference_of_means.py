"""Difference of means: from the mean of the negative texts to the mean of the positive ones.

    d = m_1 - m_0

(Marks & Tegmark 2023, "The geometry of truth"; Arditi et al. 2024, "Refusal in language models is mediated by a single
direction"). Nothing is fitted, so it cannot overfit, and added to a negative text it carries it, on average, to where
the positive ones are.

What it does not show: that the two means differ by the property and not by something that goes along with it, such
as length; nor that it separates best where the classes are long and narrow (see `lda`).
"""

from jaxtyping import Float
from torch import Tensor

from latentmech.direction.sample import Labelled

CITES = ("marks2023", "arditi2024")


def difference_of_means(sample: Labelled) -> Float[Tensor, " d_model"]:
    """The vector, as long as the distance of the means."""
    return sample.means[1] - sample.means[0]
