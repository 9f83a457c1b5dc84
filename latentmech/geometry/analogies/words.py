"""What an analogies study says in sentences: the headline and the notes."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from latentmech.geometry.analogies.answering import RIVAL
from latentmech.geometry.analogies.findings import Findings, Result, verdict
from latentmech.model import Model

if TYPE_CHECKING:
    from latentmech.geometry.analogies.study import AnalogiesStudy

SAID = {"3cosadd": "the offset of one example pair", "mean_offset": "the mean offset"}
DOES = {
    "adds": "adds something",
    "takes away": "takes something away",
    "not shown to add": "is not shown to add anything",
}


def headline(findings: Findings, model: Model) -> str:
    """The offset against no offset: in static vectors, and at the best block."""
    said = [f"In {result.name}, {_sentence(findings, result, '3cosadd')}." for result in findings.results[:1]]
    if findings.best is not None:
        where = f"block {findings.best.tick} of {model.name} (its best)"
        said.append(f"In {where}, {_sentence(findings, findings.best, '3cosadd')}.")
    return " ".join(said)


def _sentence(findings: Findings, result: Result, method: str) -> str:
    """An offset's share of right answers and what of it no offset explains."""
    own, gain = findings.estimate(result, method).value, findings.estimate(result, method, "gain")
    without = findings.estimate(result, RIVAL[method]).value
    difference = f"({gain.value:+.2f} [{gain.ci_low:+.2f}, {gain.ci_high:+.2f}])"
    return f"{SAID[method]} finds {own:.0%} and no offset {without:.0%}: it {DOES[verdict(gain)]} {difference}"


def notes_on(study: "AnalogiesStudy", findings: Findings, model: Model) -> Iterator[str]:
    """What a reader must know before believing an offset."""
    for result in findings.results:
        if result.layer is None:
            yield f"{result.name}: {'; '.join(_sentence(findings, result, method) for method in SAID)}."
    yield from _by_relation(findings)
    for method in SAID if findings.blocks else ():
        yield f"Blocks of {model.name}: {SAID[method]} {_over_blocks(findings, method)}."
    for method in SAID if findings.twin else ():
        best = max(findings.estimate(result, method).value for result in findings.twin)
        yield f"The same architecture with random weights reaches {best:.0%} at most with {SAID[method]}."
    yield (
        f"{findings.asked.single} of {len(findings.asked.analogies.words)} words are one token in the template. In "
        "embedding and unembedding a word of several is the mean of their rows, in a block the state of its last token."
    )
    yield "Vectors are brought to length 1 first. The best block is chosen on the pairs that it is reported on."
    yield from findings.asked.analogies.notes
    if model.checkpoint.note:
        yield f"{model.name}: {model.checkpoint.note}."
    off = {
        "static vectors": study.static is None,
        "common words among the candidates": study.common == 0,
        "random-init twin": not study.random_init,
        "random offsets": study.random_draws == 0,
    }
    yield from (f"Switched off by setting: {name}." for name, is_off in off.items() if is_off)


def _by_relation(findings: Findings) -> Iterator[str]:
    """Where an offset that adds something over all relations does not: an average hides it."""
    for result in findings.prominent:
        without = [
            name
            for number, name in enumerate(findings.questions.names)
            if verdict(findings.estimate(result, "3cosadd", "gain", number)) != "adds"
        ]
        if without:
            where = result.name if result.layer is None else f"block {result.tick}"
            yield f"{where}: {SAID['3cosadd']} is not shown to add anything for {', '.join(without)}."


def _over_blocks(findings: Findings, method: str) -> str:
    """`adds something at 0-4 and 7; is not shown to add anything at 5-6`."""
    verdicts = {r.layer: verdict(findings.estimate(r, method, "gain")) for r in findings.blocks}
    layers = {word: [layer for layer, own in verdicts.items() if own == word and layer is not None] for word in DOES}
    return "; ".join(f"{DOES[word]} at {runs(found)}" for word, found in layers.items() if found)


def runs(layers: Sequence[int]) -> str:
    """Ascending numbers with neighbours drawn together: `0-4, 7`."""
    groups: list[list[int]] = []
    for layer in layers:
        if groups and layer == groups[-1][-1] + 1:
            groups[-1].append(layer)
        else:
            groups.append([layer])
    return ", ".join(str(g[0]) if len(g) == 1 else f"{g[0]}-{g[-1]}" for g in groups)
