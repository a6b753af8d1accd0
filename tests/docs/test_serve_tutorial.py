"""The tutorial of `pierhead serve`, followed command by command, in the order of the page.

`bash run` is run; `bash serve` is started and kept; `bash follows` is asked until its answer is the one that stands
there; a `json answer` is what the command before it printed. The port and the key are those of this run.
"""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest
import yaml
from tests.serving_database import Serving, serving

PAGE: Final = Path(__file__).resolve().parents[2] / "docs" / "tutorial" / "serve-a-database.md"
_BLOCK: Final = re.compile(r"^```(\w+) (\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_WITHIN_S: Final = 5.0

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


def shell(text: str, folder: Path, running: Serving | None) -> str:
    """What a block prints; the commands are those of this environment."""
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    if running is not None:
        environment |= {"KEY": running.key}
        text = text.replace("http://127.0.0.1:8080", running.url)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", text],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, (text, done.stdout, done.stderr)
    return done.stdout


def until(text: str, folder: Path, running: Serving | None, wanted: object) -> str:
    """The answer, once it is the wanted one, or the last one before the promised seconds were over."""
    deadline = time.monotonic() + _WITHIN_S
    while json.loads(said := shell(text, folder, running)) != wanted and time.monotonic() < deadline:
        time.sleep(0.1)
    return said


def test_the_tutorial_can_be_followed(tmp_path: Path) -> None:
    blocks = [(found[1], found[2], found[3]) for found in _BLOCK.finditer(PAGE.read_text(encoding="utf-8"))]
    kinds = [f"{language} {mark}" for language, mark, _ in blocks]
    assert kinds.index("bash serve") == 1
    shell(blocks[0][2], tmp_path, None)
    assert blocks[1][2].strip() == "pierhead serve --db sqlite:///shop.db"
    with serving(f"sqlite:///{tmp_path / 'shop.db'}", tmp_path / ".pierhead") as running:
        follow(blocks[2:], tmp_path, running)


def follow(blocks: list[tuple[str, str, str]], folder: Path, running: Serving) -> None:
    said, done = "", 0
    for place, (language, mark, text) in enumerate(blocks):
        match language, mark:
            case "bash", "run":
                said = shell(text, folder, running)
            case "bash", "follows":
                said = until(text, folder, running, json.loads(blocks[place + 1][2]))
            case "json", "answer":
                assert json.loads(said) == json.loads(text)
            case "yaml", "roles":
                written: Mapping[str, object] = yaml.safe_load((folder / ".pierhead" / "roles.yaml").read_text())
                assert written == yaml.safe_load(text)
            case _:
                raise AssertionError(f"nobody runs {language} {mark}")
        done += 1
    assert done > 10
