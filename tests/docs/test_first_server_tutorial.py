"""The second half of the tutorial of a first server, followed command by command, in the order of the page.

`bash run` is run beside the project, `bash project` in it, `bash refused` must fail, `bash up` is started and kept; a
`json answer` is what the command before it printed. Its Python is run by `test_examples`.
"""

import json
import os
import re
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import pytest
from tests.running_platform import up

PAGE: Final = Path(__file__).resolve().parents[2] / "docs" / "tutorial" / "first-server.md"
_BLOCK: Final = re.compile(r"^```(bash|json) (\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


def shell(text: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    """The commands are those of this environment."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", text],
        cwd=folder,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_the_tutorial_can_be_followed(tmp_path: Path) -> None:
    project, said, kinds = tmp_path / "lunch", "", list[str]()
    with ExitStack() as running:
        for language, mark, text in _BLOCK.findall(PAGE.read_text(encoding="utf-8")):
            kinds.append(f"{language} {mark}")
            match mark:
                case "up":
                    assert text.strip() == "pierhead up --fleet fleet.yaml"
                    running.enter_context(up(project / ".pierhead", project / "fleet.yaml"))
                case "answer":
                    assert json.loads(said) == json.loads(text)
                case _:
                    done = shell(text, tmp_path if mark == "run" else project)
                    assert (done.returncode == 0) is (mark != "refused"), (text, done.stdout, done.stderr)
                    said = done.stdout
    assert kinds.count("bash project") == 5
