import pandas as pd
import pytest
import torch

from latentmech.report import Curve, Picture, Report, Table, confusion, layer_curve

LEVELS = ["embed", "0", "1", "2"]
DEV = [0.71, 0.8, 0.93, float("nan")]


def row(layer, value, **more):
    kind = {"study": "probe", "task": "pos", "split": "dev", "metric": "accuracy"}
    return kind | {"layer": layer, "value": value} | more


@pytest.fixture
def report() -> Report:
    """A probe's report in small: every kind of content, with the gaps that real ones have."""
    frame = pd.DataFrame({"level": LEVELS, "accuracy": DEV, "words": [100, 100, 100, None]})
    return Report(
        title="Parts of speech in a <tiny> model",
        headline="Block 1 knows parts of speech best: 0.930 on dev.",
        metrics={"probe/best_layer": 1.0, "probe/dev/accuracy": 0.93, "probe/selectivity": float("nan")},
        rows=(*map(row, LEVELS, DEV), row(1, 0.5, metric="control accuracy", seed=1, n=100)),
        tables={"levels": Table(title="Accuracy by level", frame=frame, caption="On dev.")},
        pictures={
            "levels": Picture(title="Levels", figure=layer_curve(LEVELS, {"probe": DEV}), caption="Accuracy by level"),
            "confusion": Picture(title="Confusion", figure=confusion([[9, 1], [0, 0]], ["NOUN", "X"], "Test")),
        },
        curves=(
            Curve(name="probe/dev/accuracy", axis="depth", steps=(0.0, 1.0, 2.0), values=(0.71, 0.8, 0.93)),
            Curve(name="probe/control/dev/accuracy", axis="depth", steps=(1.0, 2.0), values=(0.5, 0.5)),
        ),
        notes=("The control task was switched off.",),
        artifacts={"directions/NOUN.safetensors": ({"vector": torch.ones(4)}, {"layer": 1})},
        provenance={"model": {"fingerprint": "abc"}},
    )
