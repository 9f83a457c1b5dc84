"""Twenty-three planted pathologies, each with the tests that plant it and the words in which a report names it.

The words must stand in the package, or nobody would say them, and in the test or what it calls, or nobody would look.
Where noise is planted the words are those of the claim that must not be made.
"""

import ast
import re
from functools import cache
from pathlib import Path

import pytest
from commands import ROOT

PROBE, DIRECTION = "probe/test_probe_pathologies.py", "direction/test_pathologies.py"
GEOMETRY, CLAIMS = "geometry/test_geometry_pathologies.py", "statistics/test_claims.py"
UNBEATEN, CONFOUND, CLAIM = "is not shown to beat", "Confound", "beats the strongest rival"
FIVE_CLAIMS = "test_noise_is_not_claimed_and_an_effect_is_found"

PLANTED = {  # number, what is planted -> the words, and the tests (with the case of a parametrized one)
    "1 a leak, probe": ("stand in train or dev word for word", [f"{PROBE}::test_a_leak_is_counted"]),
    "2 a leak, direction": ("stand in train or dev word for word", [f"{DIRECTION}::test_a_leak_is_named"]),
    "3 length, direction": (CONFOUND, [f"{DIRECTION}::test_a_confound_is_named[length in characters]"]),
    "4 length, text probe": (UNBEATEN, [f"{PROBE}::test_a_confound_is_named[length in characters]"]),
    "5 a full stop in all, direction": (CONFOUND, [f"{DIRECTION}::test_a_confound_is_named[last character]"]),
    "6 a full stop in 90 and 10 %, direction": (CONFOUND, [f"{DIRECTION}::test_a_confound_of_nine_in_ten_is_named"]),
    "7 a full stop, text probe": (
        UNBEATEN,
        [
            f"{PROBE}::test_a_confound_is_named[last character]",
            f"{PROBE}::test_a_confound_of_nine_in_ten_is_named_too",
        ],
    ),
    "8 the first word": (
        UNBEATEN,
        [f"{DIRECTION}::test_a_confound_is_named[first word]", f"{PROBE}::test_a_confound_is_named[first word]"],
    ),
    "9 constant scores, direction": ("have the same score", [f"{DIRECTION}::test_ties_are_worth_exactly_a_half"]),
    "9 constant states, probe": (" of test the same answer", [f"{PROBE}::test_constant_states_are_chance"]),
    "10 always the letter A": (
        ": the direction may be that of the letter",
        [f"{DIRECTION}::test_letters_that_give_the_answer_away_are_named[always A]"],
    ),
    "11 the letter A in 90 %": (
        "pairs were left out so that",
        [f"{DIRECTION}::test_letters_that_give_the_answer_away_are_named[nine in ten A]"],
    ),
    "12 copies among the points": (
        "Copies",
        [f"{GEOMETRY}::test_duplicate_rows_are_counted", f"{GEOMETRY}::test_near_copies_are_named"],
    ),
    "13 an analogy without offset": (
        "is not shown to add anything",
        [f"{GEOMETRY}::test_an_analogy_that_needs_no_offset_is_said_to[next to the first word]"],
    ),
    "14 labels by heart": (UNBEATEN, [f"{PROBE}::test_labels_by_heart_are_no_better_than_control_labels"]),
    "15 six training pairs": ("Few texts", [f"{DIRECTION}::test_six_training_pairs_of_one_topic_are_noted"]),
    "16 random weights": (
        "random weights: nothing here is about language",
        [
            f"{PROBE}::test_a_model_with_random_weights_is_called_so",
            f"{DIRECTION}::test_a_random_model_is_noted",
            f"{GEOMETRY}::test_a_random_model_is_noted",
        ],
    ),
    "17 a foreign direction": (
        "allow_foreign=true",
        ["direction/test_direction.py::test_other_weights_are_refused_with_both_sides_named"],
    ),
    "18 damage, and the wrong way round": (
        "It is not shown to steer",
        [
            "steering/test_study.py::test_what_is_no_steering_is_named_in_the_headline[damage alone]",
            "steering/test_study.py::test_what_is_no_steering_is_named_in_the_headline[the wrong way round]",
        ],
    ),
    "19 noise, direction": (
        CLAIM,
        [
            f"{CLAIMS}::{FIVE_CLAIMS}",
            *(f"{DIRECTION}::test_noise_is_not_called_a_finding[{unit}]" for unit in ("row", "pair", "group")),
        ],
    ),
    "20 noise, text probe": (
        CLAIM,
        [
            f"{CLAIMS}::{FIVE_CLAIMS}",
            *(
                f"{PROBE}::test_noise_is_not_said_to_beat[{kind}]"
                for kind in ("text", "group", "mostly yes", "groups mostly yes", "three", "three, group")
            ),
        ],
    ),
    "21 noise, words": (CLAIM, [f"{CLAIMS}::{FIVE_CLAIMS}"]),
    "22 a single document": (
        "add documents, or name a finer `group`",
        [
            f"{PROBE}::test_a_single_document_is_refused_with_what_to_do",
            f"{DIRECTION}::test_a_single_topic_is_refused_with_what_to_do",
        ],
    ),
    "23 one document in test": (
        "Test is a single",
        [f"{PROBE}::test_one_document_in_test_is_said_plainly", f"{DIRECTION}::test_a_single_test_group_is_noted"],
    ),
}
EVERY = [(row, test) for row, (_, tests) in PLANTED.items() for test in tests]


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def strings_in(node: ast.AST) -> list[str]:
    """String constants, the fixed parts of f-strings included."""
    return [one.value for one in ast.walk(node) if isinstance(one, ast.Constant) and isinstance(one.value, str)]


def named_in(node: ast.AST) -> set[str]:
    return {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}


def found(test: str) -> tuple[ast.FunctionDef, ast.Module, str]:
    """The function of a node id, its file, and its case."""
    path, name, case = re.fullmatch(r"([\w/.]+)::(\w+)(?:\[(.*)\])?", test).groups()
    module = tree_of(ROOT / "tests" / path)
    (function,) = [one for one in module.body if isinstance(one, ast.FunctionDef) and one.name == name]
    return function, module, case


def around(function: ast.FunctionDef, module: ast.Module) -> list[ast.AST]:
    """A test, and all in its file that it names, or that these name: what it calls and what its cases are."""
    seen, wanted = {function.name: function}, [function]
    while wanted:
        for one in module.body:
            targets = one.targets if isinstance(one, ast.Assign) else []
            names = {one.name} if isinstance(one, ast.FunctionDef) else set().union(*map(named_in, targets))
            for name in names & named_in(wanted[0]) - set(seen):
                seen[name] = one
                wanted.append(one)
        wanted.pop(0)
    return list(seen.values())


def test_there_are_twenty_three():
    assert sorted({int(row.split()[0]) for row in PLANTED}) == list(range(1, 24))


@pytest.mark.parametrize(("row", "test"), EVERY, ids=[f"{row}: {test}" for row, test in EVERY])
def test_each_has_a_test_that_runs_and_looks_for_the_words(row, test):
    function, module, case = found(test)
    marks = " ".join(ast.unparse(mark) for mark in function.decorator_list)
    assert not re.search(r"\.(skip|skipif|xfail|real)\b", marks), "it must run in every session"
    context = around(function, module)
    said = [text for node in context for text in strings_in(node)]
    assert case is None or any(case == text for text in said), f"no case is called {case}"
    assert any(isinstance(node, ast.Assert | ast.With) for node in ast.walk(function)), "it must be able to fail"


@pytest.mark.parametrize("row", PLANTED)
def test_the_words_are_said_by_the_package_and_looked_for_by_the_tests(row):
    words, tests = PLANTED[row]
    package = [text for path in (ROOT / "latentmech").rglob("*.py") for text in strings_in(tree_of(path))]
    assert any(words in text for text in package), "no report says so"
    for test in tests:
        function, module, _ = found(test)
        helpers = tree_of(ROOT / "tests" / "statistics" / "claims.py") if "test_claims" in test else ast.Module([], [])
        looked_for = [text for node in [*around(function, module), helpers] for text in strings_in(node)]
        assert any(words in text for text in looked_for), f"{test} does not look for them"
