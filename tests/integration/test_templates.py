"""The projects of every template, tested by their own tests, as their authors run them: one pytest for all four."""

import subprocess
import sys
from pathlib import Path

import pytest

from pierhead.bootstrap.new_project import TEMPLATES

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


_MAKE = """
from pathlib import Path
from pierhead.bootstrap.new_project import TEMPLATES, Answers, new_project
for template in TEMPLATES:
    new_project(Path(f"my-{template}"), Answers(f"my-{template}", template, "team", "#team", "staff"))
"""


def test_every_template_keeps_its_promises_and_reaches_all_its_errors(tmp_path: Path) -> None:
    made = subprocess.run([sys.executable, "-c", _MAKE], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    folders = ", ".join(f'"my-{template}"' for template in TEMPLATES)
    options = 'addopts = "-q --strict-markers --import-mode=importlib"'
    (tmp_path / "pyproject.toml").write_text(f"[tool.pytest.ini_options]\n{options}\npythonpath = [{folders}]\n")
    arguments = ("--tool-coverage", "-W", "error", "-p", "no:cacheprovider")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *arguments], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    assert "13 tools, 4 errors: all reached" in done.stdout
    unreached = subprocess.run(
        [sys.executable, "-m", "pytest", *arguments, "-k", "lists and stable", "my-plain"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert unreached.returncode == 1, unreached.stdout
    assert "no test saw my-plain.add_note succeed" in unreached.stdout
