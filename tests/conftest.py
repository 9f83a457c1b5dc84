"""What every room's tests share: a cache of their own, the tiny model, a few sentences, the real model on demand."""

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import checked
import numpy as np
import pytest

checked.install()
gc.disable()  # while modules are imported: they stay
# huggingface_hub, transformers and tokenizers read these once, when they are imported.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["WANDB_MODE"] = "offline"
# One thread: tiny tensors gain nothing from two, waiting for a busy neighbour costs a lot, and forks stay safe.
os.environ.setdefault("OMP_NUM_THREADS", "1")
MACHINE_CACHE = os.environ.get("LATENTMECH_CACHE")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes minutes comes first: begun last, it would run alone at the end while other processes have nothing."""
    items.sort(key=lambda item: item.get_closest_marker("real") is None)


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop() -> None:
    """What was imported stays until the end: the collector need not look at it again and again."""
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """LATENTMECH_CACHE for the whole session: the tiny model is written once, the user's cache stays untouched."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LATENTMECH_CACHE", str(folder))
        yield folder


@pytest.fixture(autouse=True)
def random_numbers_in_any_order(request: pytest.FixtureRequest) -> None:
    """A file's generators begin anew in every test: which tests ran before, or beside it, means nothing."""
    for name in ("RNG", "RANDOM"):
        generator = getattr(request.module, name, None)
        if isinstance(generator, np.random.Generator):
            generator.bit_generator.state = np.random.default_rng(1).bit_generator.state


@pytest.fixture(scope="session")
def tiny():
    """One handle for the session, so its weights are booted once. For a handle without weights: `replace(tiny)`."""
    from latentmech.model import Model, Tiny

    return Model(name="tiny", source=Tiny())


@pytest.fixture(scope="session")
def examples():
    """Some 300 words of the bundled treebank."""
    from latentmech.data import Corpus

    return Corpus(limit=300)()


@contextmanager
def on_the_machines_cache() -> Iterator[None]:
    """The cache that the user's own runs fill, for what is too large to fetch or compute for every session."""
    with pytest.MonkeyPatch.context() as patch:
        if MACHINE_CACHE is None:
            patch.delenv("LATENTMECH_CACHE")
        else:
            patch.setenv("LATENTMECH_CACHE", MACHINE_CACHE)
        yield


@pytest.fixture
def machine_cache():
    """That, as a context."""
    return on_the_machines_cache


@pytest.fixture(scope="session")
def real_model():
    """The default model, from the machine's own cache, so that it is downloaded once and not once per session."""
    from omegaconf import OmegaConf

    from latentmech.errors import ResourceError
    from latentmech.model import Local, Model, RegistryPackage

    conf = OmegaConf.load(Path(__file__).parents[1] / "conf" / "model" / "smollm2_135m_instruct.yaml")
    settings = {key: conf.source[key] for key in ("member", "sha256")}
    model = Model(name=conf.name, source=RegistryPackage(packages=tuple(conf.source.packages), **settings))
    with on_the_machines_cache():
        try:
            folder = model.checkpoint.folder
        except ResourceError as error:
            pytest.skip(str(error))
    # By its folder: `replace(real_model, ...)` must not look for it in the session's own cache.
    return Model(name=conf.name, source=Local(path=str(folder)))
