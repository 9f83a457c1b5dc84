"""How something was found and tested, in the words of a paper's appendix, with the works that it rests on."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from latentmech.report.references import REFERENCES


@dataclass(frozen=True)
class Method:
    """One step: what was done, and after whom.

    Attributes:
        said: whole sentences.
        cites: keys of `REFERENCES`.
    """

    said: str
    cites: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if unknown := [key for key in self.cites if key not in REFERENCES]:
            raise KeyError(f"no reference is called {unknown[0]}")


def as_markdown(title: str, methods: Sequence[Method]) -> str:
    """The steps as paragraphs with their citations, and the BibTeX entries of these."""
    steps = [f"{one.said}{_cited(one.cites)}" for one in methods]
    entries = [REFERENCES[key] for key in sorted({key for one in methods for key in one.cites})]
    bibtex = ["## References", "```bibtex\n" + "\n\n".join(entries) + "\n```"] if entries else []
    return "\n\n".join([f"# Methods: {title}", *steps, *bibtex]) + "\n"


def _cited(keys: Iterable[str]) -> str:
    shown = "; ".join(f"@{key}" for key in keys)
    return f" [{shown}]" if shown else ""
