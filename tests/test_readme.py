"""The README, executed."""

import re
import shlex

import pytest
from commands import QUICK, ROOT, invoke, quick, room_of

TEXT = (ROOT / "README.md").read_text()
PYTHON = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
COMMANDS = re.findall(r"^python -m latentmech\.run (.*)$", TEXT, re.MULTILINE)


def test_the_python_blocks_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    invoke("probe=number", *QUICK)
    invoke("direction=sentiment", *quick("direction"))
    for block in PYTHON:
        exec(compile(block, "README.md", "exec"), {})
    out = capsys.readouterr().out
    assert "reads number from block" in out
    assert "('Plur', 'Sing') torch.Size([32])" in out


@pytest.mark.parametrize("command", COMMANDS)
def test_the_commands_run(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments = shlex.split(command)
    small = [q for q in quick(room_of(arguments)) if not ("-m" in arguments and q.startswith("probe.c"))]
    first = next(i for i, a in enumerate(arguments) if "=" in a)
    code, _, err = invoke(*arguments[:first], *small, *arguments[first:])  # flags stay outside the settings
    assert code == 0, err


def test_there_are_blocks_to_run():
    assert len(PYTHON) == 3 and len(COMMANDS) >= 10
