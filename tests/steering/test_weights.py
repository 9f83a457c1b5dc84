"""What is folded into the weights is what the hooks do, and the folder is a model like any other."""

import json
from dataclasses import replace

import pytest
import torch
from commands import invoke, quick
from direction.made import made
from model.architectures import CONFIGS, SHARED, SPECIAL, write_checkpoint
from model.by_hand import TEXTS, blocks
from transformers import AutoModelForCausalLM, MistralConfig

from latentmech.errors import BadInput
from latentmech.model import Local, Model, Scope, intervening, pad, tokenise
from latentmech.model.fold import writers
from latentmech.steering import Addition, SteeringStudy, Stems, Strength, ablation, weights
from latentmech.steering.weights import exported, exports
from latentmech.storage import file_sha256

LENGTH = 3.0


def model_of(folder, architecture, **settings) -> Model:
    return Model(name=architecture, source=Local(path=str(write_checkpoint(folder, architecture))), **settings)


@pytest.fixture(scope="module", params=["gpt2", "llama"])
def model(request, tmp_path_factory) -> Model:
    return model_of(tmp_path_factory.mktemp(request.param), request.param)


@pytest.fixture(scope="module")
def folders(model, tmp_path_factory):
    """Both kinds written once: name of the kind -> folder."""
    root = tmp_path_factory.mktemp("written") / model.name
    for kind, length in (("ablation", None), ("addition", LENGTH)):
        exported(made(model), model, length, root / kind)
    return {kind: root / kind for kind in ("ablation", "addition")}


def plan_of(model, kind):
    direction = made(model)
    if kind == "ablation":
        return ablation(direction, model.n_layers).edits
    return {direction.hook_name: Addition(LENGTH * direction.vector)}


def hooked(model, edits, text) -> torch.Tensor:
    ids = tokenise(model, [text], ["0"]).ids[0]
    with intervening(model, edits, Scope()) as run:
        return run.logits(pad([ids], 0, "right", model.torch_device), len(ids))[0]


def loaded(folder):
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


def plainly(hf, model, text) -> torch.Tensor:
    with torch.no_grad():
        return hf(torch.as_tensor(tokenise(model, [text], ["0"]).ids[0])[None]).logits[0]


@pytest.mark.parametrize(("kind", "close"), [("ablation", 1e-4), ("addition", 1e-5)])
def test_the_folder_in_plain_transformers_is_the_model_with_hooks(model, folders, kind, close):
    hf, edits = loaded(folders[kind]), plan_of(model, kind)
    for text in TEXTS:
        wanted = hooked(model, edits, text)
        assert (plainly(hf, model, text) - wanted).abs().max() <= close * wanted.abs().max()
        assert (hooked(model, {}, text) - wanted).abs().max() > 0.1


WRITERS = {  # by hand: embeddings, and in each block the output projections of attention and MLP
    "gpt2": (("transformer.wte", "transformer.wpe"), ("attn.c_proj", "mlp.c_proj")),
    "llama": (("model.embed_tokens",), ("self_attn.o_proj", "mlp.down_proj")),
}


def largest_along(hf, model) -> dict[str, float]:
    """Largest part along the direction of what each module writes, biases that begin as zero filled beforehand."""
    embeddings, projections = WRITERS[model.name]
    modules = {name: hf.get_submodule(name) for name in embeddings}
    modules |= {f"{i}.{name}": block.get_submodule(name) for i, block in enumerate(blocks(hf)) for name in projections}
    d, found = made(model).vector, {}

    def hook(name):
        return lambda module, args, out: found.update({name: float((out @ d).abs().max())})

    handles = [module.register_forward_hook(hook(name)) for name, module in modules.items()]
    plainly(hf, model, TEXTS[0])
    for handle in handles:
        handle.remove()
    return found


def test_the_direction_is_gone_from_every_write(model, folders):
    before, after = (largest_along(loaded(f), model) for f in (model.checkpoint.folder, folders["ablation"]))
    assert len(after) == 2 * model.n_layers + len(WRITERS[model.name][0])
    assert min(before.values()) > 0.05
    assert max(after.values()) < 1e-5


def test_biases_lose_the_direction_too(tmp_path):
    """transformers' own initialisation has them at zero, where nothing can be seen."""
    folder = write_checkpoint(tmp_path / "gpt2", "gpt2")
    hf = loaded(folder)
    for name, weight in hf.named_parameters():
        if name.endswith("c_proj.bias"):
            torch.nn.init.normal_(weight)
    hf.save_pretrained(folder)
    model = Model(name="gpt2", source=Local(path=str(folder)))
    exported(made(model), model, None, tmp_path / "out")
    before, after = (largest_along(loaded(f), model) for f in (folder, tmp_path / "out"))
    assert max(before.values()) > 0.5 and max(after.values()) < 1e-5


def test_the_unembedding_of_a_tied_model_stays(model, folders):
    before, after = loaded(model.checkpoint.folder), loaded(folders["ablation"])
    assert torch.equal(after.lm_head.weight, before.lm_head.weight)
    assert not torch.equal(after.get_input_embeddings().weight, before.get_input_embeddings().weight)
    assert not after.config.tie_word_embeddings
    assert loaded(folders["addition"]).config.tie_word_embeddings == before.config.tie_word_embeddings


def test_an_addition_changes_one_bias_and_nothing_else(model, folders):
    before, after = (loaded(f).state_dict() for f in (model.checkpoint.folder, folders["addition"]))
    changed = {n: t for n, t in after.items() if not torch.equal(t, before.get(n, torch.zeros_like(t)))}
    (bias,) = changed.values()
    torch.testing.assert_close(bias, LENGTH * made(model).vector)


def test_the_card_says_what_and_how_close(model, folders):
    for kind, folder in folders.items():
        card = json.loads((folder / "latentmech.json").read_text())
        assert card["folded"] == {
            "kind": kind,
            "length": None if kind == "ablation" else LENGTH,
            "hook_name": "blocks.1.hook_resid_post",
        }
        assert card["direction"]["name"] == "kindness" and card["source"]["fingerprint"] == model.fingerprint
        assert 0 <= card["measured"]["relative_to_largest_logit"] < 1e-5
        assert card["measured"]["largest_logit_difference"] < 1e-4
        assert card["measured"]["largest_logit_change_by_the_edit"] > 0.5


def test_the_folder_is_a_model_of_ours(model, folders):
    again = Model(name="again", source=Local(path=str(folders["ablation"])))
    again.checkpoint.verify()
    assert again.identity["tokenizer"] == model.identity["tokenizer"]
    assert again.identity["weights"] != model.identity["weights"]
    assert hooked(again, {}, TEXTS[0]).isfinite().all()


def test_the_source_is_left_as_it_was(tmp_path):
    model = model_of(tmp_path / "gpt2", "gpt2")
    (file,) = model.checkpoint.weight_files
    before, clean = file_sha256(file), hooked(model, {}, TEXTS[0])
    exported(made(model), model, None, tmp_path / "out")
    assert file_sha256(file) == before
    assert torch.equal(hooked(model, {}, TEXTS[0]), clean)


def test_a_folder_that_is_not_the_same_model_gets_no_name(tmp_path, tiny, monkeypatch):
    def forgot_to_fold(model, vector):
        return loaded(model.checkpoint.folder)

    monkeypatch.setattr(weights, "fold_ablation", forgot_to_fold)
    with pytest.raises(BadInput, match="differs from itself with hooks by"):
        exported(made(tiny), tiny, None, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_only_its_own_folders_are_replaced(tmp_path, tiny):
    folder = tmp_path / "out"
    first = exported(made(tiny), tiny, None, folder)
    second = exported(made(tiny, seed=1), tiny, None, folder)
    assert json.loads((folder / "latentmech.json").read_text())["files"] == second["files"] != first["files"]
    with pytest.raises(BadInput, match="is there already"):
        exported(made(tiny), replace(tiny, source=Local(path=str(folder))), None, folder)
    (tmp_path / "mine").mkdir()
    with pytest.raises(BadInput, match="is there already"):
        exported(made(tiny), tiny, None, tmp_path / "mine")


@pytest.mark.parametrize("length", [None, LENGTH])
def test_norms_behind_what_is_written_are_refused(tmp_path, length):
    gemma = model_of(tmp_path / "gemma3", "gemma3")
    with pytest.raises(BadInput, match=r"with ln1_post, ln2_post in it, .* is not what reaches the residual stream"):
        exported(made(gemma), gemma, length, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("setting", ["compatibility_mode", "random_init"])
def test_other_weights_than_the_folders_are_refused_before_any_are_loaded(tiny, setting):
    other = replace(tiny, **{setting: True})
    with pytest.raises(BadInput, match=f"model.{setting}=true"):
        writers(other)
    assert "bridge" not in vars(other)


def test_an_addition_needs_a_bias(tmp_path, monkeypatch):
    monkeypatch.setitem(CONFIGS, "mistral", lambda: MistralConfig(**SHARED, **SPECIAL))
    mistral = model_of(tmp_path / "mistral", "mistral")
    direction = made(mistral)
    assert set(exports(mistral, direction, direction, [1.0, 2.0])) == {"weights/ablated"}
    with pytest.raises(BadInput, match="no bias that could hold an addition, and mistral has no setting mlp_bias"):
        exports(mistral, direction, direction, [0.0, 2.0])


@pytest.mark.parametrize("hook_name", ["blocks.0.hook_resid_pre", "blocks.1.hook_attn_out"])
def test_an_addition_elsewhere_is_refused(tiny, hook_name):
    direction = made(tiny)
    vector = {"vectors": {hook_name: direction.vector}, "norms": {hook_name: 1.0}}
    elsewhere = replace(direction, hook_name=hook_name, **vector)
    with pytest.raises(BadInput, match=f"an addition at {hook_name} cannot"):
        exports(tiny, direction, elsewhere, [1.0])


@pytest.mark.parametrize(
    "settings", [{"edit": "rotation"}, {"scope": Scope(first=1)}, {"gate": "cosine"}, {"export": "none"}, {}], ids=str
)
def test_what_weights_cannot_do_is_not_added(tiny, settings):
    study = SteeringStudy(
        trials=Stems(prompts=["It is"], towards=["a"], away=["b"]), **{"export": "weights"} | settings
    )
    doses = {value: Strength(value, "raw") for value in (0.0, 1.0)}
    found = study._exports(tiny, made(tiny), made(tiny), doses)
    assert ("weights/added" in found) == (not settings)
    assert ("weights/ablated" in found) == (settings != {"export": "none"})


RUN = [
    "steering=sentiment",
    *quick("steering"),
    "steering.strengths=[1]",
    "steering.export=weights",
    "hydra.run.dir=run",
]


@pytest.mark.parametrize(("gate", "names"), [("null", ["ablated", "added"]), ("cosine", ["ablated"])])
def test_a_run_leaves_the_models_behind(tmp_path, monkeypatch, gate, names):
    monkeypatch.chdir(tmp_path)
    code, _, err = invoke(*RUN, f"steering.gate={gate}")
    assert code == 0, err
    assert sorted(path.name for path in (tmp_path / "run" / "weights").iterdir()) == names
    for name in names:
        card = json.loads((tmp_path / "run" / "weights" / name / "latentmech.json").read_text())
        assert card["direction"]["name"] == "sentiment" and card["measured"]["largest_logit_difference"] < 1e-3
    page = (tmp_path / "run" / "report.html").read_text()
    assert ("There is no weights/added" in page) == ("added" not in names)
