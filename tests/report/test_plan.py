"""A plan is one line with readable numbers."""

import pytest

from latentmech.report import announce
from latentmech.report.plan import size


@pytest.mark.parametrize(
    ("n_bytes", "said"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (1_234_567_890, "1.2 GB"), (2.5e15, "2500.0 TB")],
)
def test_sizes_are_in_the_largest_unit_that_they_reach(n_bytes, said):
    assert size(n_bytes) == said


def test_a_plan_is_one_line_on_standard_error(capsys):
    announce("GPT-2: activations", {"texts": 1200, "tokens": 31000, "bytes on disk": 1_200_000_000})
    out, err = capsys.readouterr()
    assert out == "" and err == "latentmech: GPT-2: activations: 1,200 texts, 31,000 tokens, 1.2 GB on disk\n"
