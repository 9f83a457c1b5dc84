"""The command line, as a user types it: files, sweeps, messages."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml
from commands import QUICK, ROOT, invoke, quick, room_of

from latentmech.model import Model, Tiny

CONF = ROOT / "conf"


def options(group):
    return sorted(path.stem for path in (CONF / group).glob("*.yaml"))


def only_run(folder):
    (found,) = Path(folder).glob("runs/*/*")
    return found


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


EXTRA = {"column": ["probe.column=Degree"]}


@pytest.mark.parametrize("option", [option for option in options("probe") if option != "atlas"])
def test_every_probe_runs(option, tmp_path):
    code, _, err = invoke(f"probe={option}", *EXTRA.get(option, []), *QUICK)
    assert code == 0, err
    metrics = json.loads((only_run(tmp_path) / "metrics.json").read_text())
    assert {"probe/best_layer", "probe/test/accuracy", "probe/majority/test/accuracy", "probe/selectivity"} <= set(
        metrics
    )


OWN_PAIRS = ["direction.data.path=mine.csv"]


def write_pairs(path="mine.csv", n=40):
    rows = [f"a good thing {i},a bad thing {i},topic {i // 4}" for i in range(n)]
    Path(path).write_text("positive,negative,group\n" + "\n".join(rows))


@pytest.mark.parametrize("option", options("direction"))
def test_every_direction_runs(option, tmp_path):
    write_pairs()
    own = OWN_PAIRS if option == "contrast" else []
    code, _, err = invoke(f"direction={option}", *quick("direction"), *own)
    assert code == 0, err
    metrics = json.loads((only_run(tmp_path) / "metrics.json").read_text())
    wanted = {
        "direction/layer",
        "direction/auroc",
        "direction/test/auroc",
        "direction/null/covariance_p95",
        "direction/bag_of_words/auroc",
        "direction/bag_of_words/test/auroc",
    }
    assert wanted <= set(metrics)
    assert list((only_run(tmp_path) / "directions").glob("*.safetensors"))


@pytest.mark.parametrize("option", options("steering"))
def test_every_steering_runs(option, tmp_path):
    own = []
    if option == "file":
        invoke("direction=sentiment", *quick("direction"), "hydra.run.dir=found")
        own = ["steering.file=found/directions/sentiment.safetensors"]
    if option == "refusal":
        own = ["steering.necessity.dev_limit=3", "steering.necessity.test_limit=3", "steering.necessity.n_random=2"]
    small = [one for one in quick("steering") if option != "file" or "direction" not in one]
    code, _, err = invoke(f"steering={option}", *small, *own)
    assert code == 0, err
    metrics = json.loads((only_run(tmp_path) / "metrics.json").read_text())
    assert {"steering/effect@+0.50", "steering/kl@+0.50", "steering/null_max@+0.50", "steering/slope"} <= set(metrics)
    assert metrics["steering/effect@+0.00"] == 0 and metrics["steering/kl@+0.00"] == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("option", options("geometry"))
def test_every_geometry_runs(option, tmp_path):
    code, _, err = invoke(f"geometry={option}", *quick(f"geometry={option}"))
    assert code == 0, err
    metrics = json.loads((only_run(tmp_path) / "metrics.json").read_text())
    assert metrics and all(name.startswith(f"geometry/{option}/") for name in metrics)


@pytest.mark.parametrize("option", options("retrieval"))
def test_every_retrieval_runs(option, tmp_path):
    code, _, err = invoke(f"retrieval={option}", *quick("retrieval"))
    assert code == 0, err
    metrics = json.loads((only_run(tmp_path) / "metrics.json").read_text())
    wanted = {"best_layer", "model/ndcg@10", "bm25/ndcg@10", "random_init/ndcg@10"}
    assert {f"retrieval/{name}" for name in wanted} <= set(metrics)


@pytest.mark.parametrize("method", ["pca_of_differences", "lda", "logistic", "leace"])
def test_every_direction_method_runs(method):
    assert invoke("direction=sentiment", f"direction.method={method}", *quick("direction"))[0] == 0


def test_a_gate_edits_fewer_tokens(tmp_path):
    effects = []
    for gate in ("null", "cosine"):
        run = ["steering=sentiment", *quick("steering"), "steering.strengths=[5]", "steering.layer=1"]
        code, _, err = invoke(*run, f"steering.gate={gate}", f"hydra.run.dir=gate-{gate}")
        assert code == 0, err
        assert re.search(r"latentmech: .*: steering \d+ prompts at \+5: \d+ rows, [\d,]+ tokens read, ", err)
        effects.append(json.loads((tmp_path / f"gate-{gate}" / "metrics.json").read_text())["steering/kl@+5.00"])
    assert effects[1] < effects[0]


def test_directions_are_compared_and_read_other_data(tmp_path):
    write_pairs()
    extra = ["direction.transfer=[mine.csv,formality]", "direction.compare=true"]
    code, out, err = invoke("direction=sentiment", *quick("direction"), *extra)
    assert code == 0, err
    assert "were not looked at" not in out
    metrics = json.loads((only_run(tmp_path) / "metrics.json").read_text())
    assert {"direction/cosine/truth", "direction/transfer/mine/auroc", "direction/transfer/formality/auroc"} <= set(
        metrics
    )


VECTORS = ["man 1 0 0", "woman 1 1 0", "king 0 0 1", "queen 0 1 1", "boy .7 0 .7", "girl .7 1 .7"]


def test_every_geometry_question_runs(tmp_path):
    code, _, err = invoke("geometry=neighbours", *quick("geometry=neighbours"))
    assert code == 0, err
    metrics = json.loads((only_run(tmp_path) / "metrics.json").read_text())
    for pool in ("words", "contexts", "texts"):
        for name in ("anisotropy", "hubness", "hubness_gaussian"):
            assert f"geometry/neighbours/{pool}/layer_01/causal/{name}" in metrics
    assert "geometry/neighbours/words/unembed/euclidean/hubness" in metrics
    assert "geometry/neighbours/random_init/words/embed/cosine/anisotropy" in metrics
    assert metrics["geometry/neighbours/words/embed/kept_from_embed"] == 1


def test_analogies_are_compared_with_static_vectors(tmp_path):
    Path("vectors.txt").write_text("\n".join(VECTORS))
    own = ["geometry.static.path=vectors.txt", "geometry.data.relations=[gender]"]
    small = [q for q in quick("geometry=analogies") if "static" not in q and "data.limit" not in q]
    code, out, err = invoke("geometry=analogies", *small, *own)
    assert code == 0, err
    metrics = json.loads((only_run(tmp_path) / "metrics.json").read_text())
    assert metrics["geometry/analogies/pairs"] == 3
    assert metrics["geometry/analogies/vectors/3cosadd/top1"] == 1
    assert "27 of 30 pairs were left out for every space: vectors has no vector" in out
    for space in ("embed", "layer_02", "unembed"):
        gain = metrics[f"geometry/analogies/{space}/3cosadd/gain"]
        own, without = (metrics[f"geometry/analogies/{space}/{m}/top1"] for m in ("3cosadd", "no_offset"))
        assert gain == pytest.approx(own - without)
        assert f"geometry/analogies/random_init/{space}/3cosadd/top1" in metrics
    assert "queen" in (only_run(tmp_path) / "report.html").read_text()


def test_analogies_say_in_words_whether_the_offset_adds_anything(tmp_path):
    code, out, err = invoke("geometry=analogies", *quick("geometry=analogies"), "geometry.random_init=false")
    assert code == 0, err
    assert re.search(r"the offset of one example pair finds \d+% and no offset \d+%: it (adds|takes|is not shown)", out)
    assert re.search(
        r"Blocks of tiny: the mean offset (adds something|takes something away|is not shown to add anything) at", out
    )
    assert "Switched off by setting: static vectors." in out and "Switched off by setting: random-init twin." in out
    rows = pd.read_parquet(only_run(tmp_path) / "results.parquet")
    metrics = json.loads((only_run(tmp_path) / "metrics.json").read_text())
    assert len(rows) == len(metrics) and {"embed", "layer_00", "unembed"} <= set(rows["layer"].dropna())


def write_checkpoints(option):
    """Tiny models in the folders that a preset names."""
    preset = (CONF / "experiment" / f"{option}.yaml").read_text()
    for number, folder in enumerate(sorted(set(re.findall(r"\S+/step_\d+", preset)))):
        Path(folder).parent.mkdir(parents=True, exist_ok=True)
        Path(folder).symlink_to(Tiny(seed=number)().folder)


@pytest.mark.parametrize("option", options("experiment"))
def test_every_preset_runs(option):
    preset, small = f"+experiment={option}", quick(room_of([f"+experiment={option}"]))
    if option == "geometry_over_training":  # it names its models by their folders
        write_checkpoints(option)
        small = [setting for setting in small if "model" not in setting]
    code, _, err = invoke(preset, *small)
    assert code == 0, err


def test_checkpoints_that_are_not_there_are_named_with_the_script_that_makes_them():
    code, _, err = invoke("+experiment=geometry_over_training", "report=console")
    assert code == 2 and err.count("\n") == 1
    assert "runs/checkpoints/step_0000 is not there" in err and "scripts/train_checkpoints.py runs/checkpoints" in err


@pytest.mark.parametrize("method", ["ridge", "lda", "mass_mean"])
def test_every_method_runs(method):
    assert invoke("probe=pos", f"probe.method={method}", *QUICK)[0] == 0


@pytest.mark.parametrize("site", ["resid_pre", "resid_mid", "attn_out", "mlp_out"])
def test_every_site_runs(site):
    assert invoke("probe=number", f"probe.site={site}", "probe.position=mean", *QUICK)[0] == 0


MODELS = {"hub": ["model.source.name=some/model"], "local": ["model.source.path=somewhere"]}


@pytest.mark.parametrize("option", options("model"))
def test_every_model_option_makes_a_model(option):
    code, out, err = invoke("probe=pos", f"model={option}", *MODELS.get(option, []), "--cfg", "job", "--resolve")
    assert code == 0, err
    assert yaml.safe_load(out)["model"]["_target_"].startswith("latentmech.")


@pytest.mark.parametrize("option", options("report"))
def test_every_report_option_runs(option, tmp_path):
    assert invoke("probe=tense", *QUICK, f"report={option}")[0] == 0
    assert (only_run(tmp_path) / "wandb").exists() == (option == "wandb")


def test_real_treebanks_are_read_from_a_folder(tmp_path):
    folder = tmp_path / "bank"
    folder.mkdir()
    sentences = (ROOT / "latentmech/data/corpora/treebank.conllu").read_text().split("\n\n")
    for i, split in enumerate(("train", "dev", "test")):
        (folder / f"en_x-ud-{split}.conllu").write_text("\n\n".join(sentences[200 * i : 200 * i + 200]) + "\n\n")
    code, out, err = invoke("probe=pos", "data@probe.data=ud_ewt", f"probe.data.path={folder}", *QUICK)
    assert code == 0, err
    assert "in the splits that came with the data" in out


def test_a_run_leaves_its_files(tmp_path):
    code, out, _ = invoke("probe=pos", *QUICK)
    folder = only_run(tmp_path)
    assert code == 0
    for name in ("config.yaml", "run.json", "metrics.json", "results.parquet", "report.html"):
        assert (folder / name).is_file(), name
        assert name in out or name == "config.yaml"
    assert {"layer_curve.png", "confusion.png"} <= {p.name for p in (folder / "figures").iterdir()}
    run = json.loads((folder / "run.json").read_text())
    assert (
        run["status"] == "done"
        and run["model"]["fingerprint"]
        and run["command"].startswith("python -m latentmech.run")
    )
    assert list((folder / "probes").glob("layer_*.safetensors"))


def test_metrics_and_rows_hold_the_same_numbers(tmp_path):
    invoke("probe=proper_noun", *QUICK)
    metrics = json.loads((only_run(tmp_path) / "metrics.json").read_text())
    rows = pd.read_parquet(only_run(tmp_path) / "results.parquet")
    assert len(rows) == len(metrics)
    shown = sorted(v for v in metrics.values() if v is not None)
    assert shown == sorted(rows["value"].dropna())
    for name in ("f1", "auroc", "accuracy"):
        assert f"probe/test/{name}" in metrics and f"probe/layer_01/dev/{name}" in metrics
    assert "probe/lookup_capitalised/test/f1" in metrics


def test_controls_can_be_switched_off_and_the_report_says_so():
    off = ["probe.random_init=false", "probe.control_seeds=0", "probe.shuffles=0", "probe.code_length=false"]
    code, out, _ = invoke("probe=pos", *QUICK, *off)
    assert code == 0
    for name in ("random-init twin", "control task", "shuffled labels", "online code length"):
        assert f"Switched off by setting: {name}." in out


def test_labels_of_whole_texts(tmp_path):
    rows = [
        {"text": f"{'a good' if i % 2 else 'an awful'} thing, number {i}", "label": "nice" if i % 2 else "bad"}
        for i in range(60)
    ]
    Path("mine.jsonl").write_text("\n".join(map(json.dumps, rows)))
    code, _, err = invoke(
        "probe=column", "probe.column=label", "probe.data.path=mine.jsonl", "probe.positive=nice", *QUICK
    )
    assert code == 0, err
    metrics = json.loads((only_run(tmp_path) / "metrics.json").read_text())
    assert metrics["probe/bag_of_words/test/accuracy"] == 1
    assert "probe/selectivity" not in metrics


def test_a_second_run_loads_no_weights(monkeypatch):
    invoke("probe=number", *QUICK, "probe.data.limit=301")
    monkeypatch.setattr(Model, "bridge", property(lambda self: pytest.fail("weights were loaded")))
    code, _, err = invoke("probe=number", *QUICK, "probe.data.limit=301")
    assert code == 0, err


BAD = {
    "direction=contrast": "no bundled contrast 'contrast'; .*or set `path` to your own data",
    "direction=sentiment direction.method=dom": "direction.method=dom is unknown",
    "direction=sentiment direction.positions=[middle]": "middle is unknown; expected some of last",
    "direction=sentiment direction.positions=last": "expected a list",
    "direction=sentiment direction.data.name=sentimnt": "no bundled contrast 'sentimnt'; did you mean 'sentiment'",
    "direction=sentiment direction.positions=[letter]": "direction.positions=letter needs a column prompt",
    "direction=sentiment direction.transfer=[nowhere]": "nowhere is no file and no bundled set",
    "direction=contrast direction.data.path=one_class.csv": "expected one called positive, true, yes or 1",
    "direction=sentiment direction.system=hello": "used without a chat template",
    "steering=sentiment steering.strengths=[]": "expected numbers, such as strengths=",
    "steering=sentiment steering.strengths=[nan,1]": r"steering.strengths=\[nan, 1\]: nan is no number to work with",
    "steering=sentiment steering.scope.prompt=false": "scope.prompt=false leaves the prompts as they are; the score",
    "steering=sentiment steering.unit=volts": "steering.unit=volts is unknown; expected one of resid, raw, std, kl",
    "steering=sentiment steering.edit=push": "steering.edit=push is unknown",
    "steering=sentiment steering.gate=angle": "steering.gate=angle is unknown; expected one of null",
    "steering=sentiment steering.layer=99": "steering.layer=99 is out of range; tiny has blocks 0 to 2",
    "steering=refusal steering.trials.limit=0": "trials.limit=0 is too small; expected at least 1",
    "steering=refusal steering.direction.layers=[1]": "needs class means .* none for block 1; set layers=all",
    "direction=refusal +selection@direction.selection=causal direction.layers=[0]": "there are none for block 2;",
    "steering=sentiment steering.layer=best": "expected a block number, dev or found",
    "direction=sentiment direction.push=here": "push=here is not the name of a hub repository; expected owner/name",
    "steering=sentiment steering.scope.first=-1": "first=-1 is before the text",
    "steering=file": "steering.file is not set",
    "steering=file steering.file=nowhere.safetensors": "nowhere.safetensors",
    "geometry=analogies geometry.template=word": "geometry.template='word'; expected a text with one {} in it",
    "geometry=analogies geometry.similarity=euclidean": "similarity=euclidean is unknown; expected one of cosine",
    "geometry=analogies geometry.examples=[man]": "expected a list of four different words each",
    "geometry=analogies geometry.static.path=no.txt": "no 'no.txt'",
    "geometry=analogies geometry.draws=5": "geometry.draws=5 is too small; expected at least 100",
    "geometry=neighbours geometry.k=0": "geometry.k=0 is too small; expected at least 1",
    "geometry=analogies geometry.templat=x": "did you mean geometry.template",
    "geometry=analogies geometry.data.path=nowhere.txt": "no 'nowhere.txt'",
    "geometry=neighbours geometry.contexts=[bank]": "expected one word in brackets",
    "geometry=neighbours geometry.words=king": r"geometry.words='king'; expected a list",
    "geometry=neighbours geometry.pooling=max": "geometry.pooling=max is unknown",
    "geometry=neighbours geometry.k=3000": "geometry.k=3000: there are only",
    "geometry=neighbour": "geometry/neighbour: no such option; did you mean geometry/neighbours",
    "retrieval=passages retrieval.poolings=[middle]": "middle is unknown; expected some of last, mean, weighted_mean",
    "retrieval=passages retrieval.data.name=passage": "no bundled collection .passage.; did you mean .passages.",
    "retrieval=passages retrieval.data.path=nowhere": "no .nowhere. in",
    "retrieval=passages retrieval.index.nprobes=0": "index.nprobes=0 is too small; expected at least 1",
    "retrieval=passages encoder@retrieval.encoder=local": "retrieval.encoder.source.path is not set",
    "probe=atlas probe.tasks=[poss]": "probe.tasks: poss is unknown; did you mean 'pos'",
    "probe=atlas probe.tasks=pos": "probe.tasks=pos is one name; expected a list",
    "probe=atlas probe.extra={mine:nowhere.jsonl}": "probe.extra.mine=nowhere.jsonl is no file and no bundled contrast",
    "probe=atlas probe.transfer={poss:[truth]}": "probe.transfer: poss is unknown; did you mean 'pos'",
    "probe=atlas probe.tasks=[truth] probe.extra={truth:truth}": "two rows of the atlas are called truth",
    "probe=atlas probe.pairings=[sum]": "sum is unknown; expected some of product",
    "probe=atlas probe.coreference.path=one_class.csv probe.tasks=[coreference]": "nothing to map: coreference",
    "": "0 questions",
    "probe=pso": "probe/pso: no such option; did you mean probe/pos",
    "probe=pos probe.methd=ridge": "probe.methd: no such setting; did you mean probe.method",
    "probe=pos +nonsense=1": "nonsense: no such setting",
    "probe=pos probe.method=rigde": "expected one of logistic",
    "probe=pos probe.task=poss": "no task 'poss'; did you mean 'pos'",
    "probe=pos probe.site=resid_pots": "expected one of resid_post",
    "probe=pos probe.layers=[2,7]": "layers=.7. is out of range; this model has blocks 0 to 2",
    "probe=pos probe.layers=some": "expected all, or a list",
    "probe=pos probe.draws=many": "probe.draws: Value 'many'",
    "probe=pos probe.draws=1": "expected at least 100",
    "probe=pos probe.strengths=[-1.0]": "expected one or more numbers from 0 up",
    "probe=pos probe.position=middle": "expected one of last, first, mean",
    "probe=pos probe.class_weight=heavy": "expected one of null, balanced",
    "probe=pos probe.data.path=nowhere.conllu": "no 'nowhere.conllu'",
    "probe=pos probe.data.path=empty.conllu": "empty.conllu: the file is empty",
    "probe=pos probe.data.path=broken.conllu": "broken.conllu:37: ",
    "probe=pos data@probe.data=ud_ewt": "set `path`",
    "probe=column": "probe.column is not set",
    "probe=column probe.column=Nummber": "did you mean 'Number'",
    "probe=column probe.column=label probe.data.path=one_class.csv": "finds 1 classes",
    "probe=column probe.column=label probe.data.path=long.jsonl": "the 512 tokens that tiny reads: long-6 has 1502",
    "probe=column probe.column=label probe.data.path=unseen.jsonl": r"train lacks classes .* c \(1\)",
    "probe=pos model=local": "model.source.path is not set",
    "probe=pos model=local model.source.path=nowhere": "model.source.path=nowhere is not there",
    "probe=pos model.dtype=float8": "expected one of auto, float32",
    "probe=pos model.device=tpu": "expected auto, cpu, cuda, mps",
    "probe=pos model.source._target_=os.system": "os.system is not part of latentmech",
    "probe=pos model.source._target_=latentmech.model.sources.subprocess.run": "is not part of latentmech",
    "probe=pos report=wandb report.mode=sideways": "report.mode=sideways is unknown",
    "probe=pos activations.token_budget=0": "expected at least 1",
    "+experiment=nothing": "experiment/nothing: no such option",
}


def write_bad_files():
    Path("empty.conllu").touch()
    lines = (ROOT / "latentmech/data/corpora/treebank.conllu").read_text().split("\n")
    lines[36] = lines[36].replace("\t", " ")
    Path("broken.conllu").write_text("\n".join(lines))
    Path("one_class.csv").write_text("text,label\n" + "\n".join(f"t {i},a" for i in range(9)))
    texts = [{"text": f"{'word ' * (300 if i == 5 else 3)}{i}", "label": "ab"[i % 2]} for i in range(30)]
    Path("long.jsonl").write_text("\n".join(map(json.dumps, texts)))
    split = ["train"] * 20 + ["dev"] * 5 + ["test"] * 5
    texts = [{"text": f"x {i}", "label": "c" if i == 29 else "ab"[i % 2], "split": split[i]} for i in range(30)]
    Path("unseen.jsonl").write_text("\n".join(map(json.dumps, texts)))


@pytest.mark.parametrize("command", BAD, ids=lambda c: c or "nothing")
def test_bad_input_gets_one_line_before_weights_are_loaded(command, monkeypatch, tiny):
    assert tiny.checkpoint.folder.is_dir()  # made now, or the first of these tests sees its progress bar
    write_bad_files()
    monkeypatch.setattr(Model, "bridge", property(lambda self: pytest.fail("weights were loaded")))
    own = [] if "model=" in command else ["model=tiny"]
    code, out, err = invoke(*own, *command.split())
    assert code == 2
    assert re.search(BAD[command], err), err
    assert err.count("\n") == 1 and err.startswith("latentmech: ")
    assert out == ""


def test_a_cache_that_cannot_be_written_is_a_resource(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("LATENTMECH_CACHE", str(tmp_path / "file" / "below"))
    code, _, err = invoke("probe=pos", *QUICK)
    assert code == 4 and "cannot write" in err and "LATENTMECH_CACHE" in err


def test_debug_shows_the_traceback():
    code, _, err = invoke("probe=pos", "model=tiny", "probe.method=rigde", "debug=true")
    assert code == 2 and "Traceback" in err


def test_secrets_stay_out_of_the_files(tmp_path, monkeypatch):
    monkeypatch.setenv("SECRET_NOTE", "xyzzy")
    code, _, err = invoke("probe=tense", *QUICK, "model.name=${oc.env:SECRET_NOTE}")
    assert code == 0, err
    assert "xyzzy" not in (only_run(tmp_path) / "config.yaml").read_text()


def test_a_sweep_outlives_its_failing_jobs(tmp_path):
    code, out, err = invoke("-m", "probe=tense", *QUICK, "probe.method=ridge,rigde,mass_mean")
    assert code == 1
    assert "1 of 3 jobs failed" in out and "rigde" in out
    states = {p.parent.name: json.loads(p.read_text())["status"] for p in tmp_path.glob("sweeps/*/*/run.json")}
    assert sorted(states.values()) == ["done", "done", "failed (2)"], err
    assert any("probe.method=ridge" in name for name in states)


def test_a_sweep_outlives_sys_exit(tmp_path, monkeypatch):
    from latentmech.probe import ProbeStudy

    answer = ProbeStudy.__call__

    def leave(self, model, store):
        if self.method == "lda":
            raise SystemExit(7)
        return answer(self, model, store)

    monkeypatch.setattr(ProbeStudy, "__call__", leave)
    code, out, _ = invoke("-m", "probe=tense", *QUICK, "probe.method=lda,mass_mean")
    assert code == 1 and "1 of 2 jobs failed" in out


def test_a_sweep_over_questions_takes_settings_along(tmp_path):
    settings = ["probe=tense,number", *QUICK, "probe.method=mass_mean", "probe.layers=[0,2]"]
    code, out, err = invoke(*settings, "--multirun")
    assert code == 0 and "2 jobs done, none failed" in out, err
    names = sorted(p.parent.name for p in tmp_path.glob("sweeps/*/*/run.json"))
    assert names == ["0_probe=tense", "1_probe=number"]
    for path in tmp_path.glob("sweeps/*/*/config.yaml"):
        assert yaml.safe_load(path.read_text())["probe"]["layers"] == [0, 2]


def test_one_run_for_each_strength(tmp_path):
    sweep = ["-m", "steering=sentiment", *quick("steering"), "steering.strengths=[-1],[0],[1]"]
    code, out, err = invoke(*sweep)
    assert code == 0 and "3 jobs done, none failed" in out, err
    effects = [set(json.loads(p.read_text())) for p in tmp_path.glob("sweeps/*/*/metrics.json")]
    assert {name for one in effects for name in one if name.startswith("steering/effect@")} == {
        "steering/effect@-1.00",
        "steering/effect@+0.00",
        "steering/effect@+1.00",
    }
    (summary,) = tmp_path.glob("sweeps/*/summary/metrics.json")
    assert {"sweep/effect@-1.00", "sweep/effect@+0.00", "sweep/effect@+1.00"} <= set(json.loads(summary.read_text()))
    assert "3 runs together" in out


UNNEEDED = (
    "transformers",
    "transformer_lens",
    "scipy.stats",
    "scipy.optimize",
    "sklearn",
    "wandb",
    "matplotlib.pyplot",
)


def test_a_run_whose_activations_are_on_disk_imports_nothing_for_a_forward_pass(tmp_path):
    folder = Path(shutil.copytree(Tiny()().folder, tmp_path / "model"))
    named = json.loads((folder / "config.json").read_text()) | {"num_hidden_layers": 3, "hidden_size": 32}
    (folder / "config.json").write_text(json.dumps(named))
    asked = ["probe=pos", *QUICK, "probe.method=mass_mean", "model=local", f"model.source.path={folder}"]
    code, _, err = invoke(*asked)
    assert code == 0, err
    script = f"import sys; sys.argv[1:] = {asked}; from latentmech.run import main; main(); "
    script += f"print('imported', sorted({{*{UNNEEDED}}} & {{*sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("imported []\n")


def test_help_names_the_questions():
    code, out, _ = invoke("--help")
    assert code == 0 and "probe=pos" in out and "proper_noun" in out
