"""A model spread over two workers says what the reference says; each worker sends what it alone has."""

import pytest
import torch
from hosted import CLOSE, LONG, SCOPES, apart, batch_of, both, rows_of, same, variants_of, written

from latentmech.model import every_check, read_out, truth_of

SPREADS = {"tensor_parallel_size": 2}, {"pipeline_parallel_size": 2}


@pytest.mark.parametrize("spread", SPREADS, ids=lambda one: next(iter(one)))
def test_a_model_that_is_spread_over_workers_says_the_same(spread, tmp_path):
    own = both(written(tmp_path, "llama", 0), max_num_batched_tokens=64, max_num_seqs=16, **spread)
    sent = own.own.llm.collective_rpc("latentmech_open")
    assert len(sent) == 2 and sum(one["sends"] for one in sent) == (1 if "tensor_parallel_size" in spread else 2)
    for pooling in ("last", "mean"):
        assert apart(rows_of(own.own, LONG, pooling), rows_of(own.reference, LONG, pooling)) < CLOSE
    variants = variants_of(own.model, rows_of(own.reference))
    for scope in SCOPES:
        found, expected = (one.logits(variants, batch_of(one), scope=scope) for one in (own.own, own.reference))
        assert apart(found, expected) < 10 * CLOSE
    assert same(*(one.generate(variants, batch_of(one), 12, stop=()) for one in (own.own, own.reference)))
    states = rows_of(own.reference)[-1]
    assert torch.allclose(own.own.head(states).log_softmax(-1), read_out(own.model, states), atol=1e-4)
    found = every_check(own.own.model, truth_of(own.own.model))
    assert [(check.name, check.level, check.size) for check in found if not check.passed] == []
