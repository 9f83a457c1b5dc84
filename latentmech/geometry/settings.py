"""What more than one question of the room lets a user set."""

from typing import Annotated

from latentmech.errors import BadInput
from latentmech.fields import OneOf

SIMILARITIES = ("cosine", "centred_cosine", "euclidean", "causal")
Similarity = Annotated[str, OneOf(*SIMILARITIES)]


def check_template(setting: str, template: str) -> None:
    """A template has one place for the word."""
    if template.count("{}") != 1:
        raise BadInput(f"{setting}={template!r}; expected a text with one {{}} in it, such as 'The word is {{}}'")
