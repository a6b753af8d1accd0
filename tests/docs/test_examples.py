"""Every example of the documents that can run, runs.

A fenced block is marked by the words after its language: ```python run``` is executed in a fresh process, together
with the `run` blocks of its page before it; ```yaml fleet``` is loaded as a fleet file. Unmarked Python must compile.
"""

import ast
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from pierhead.bootstrap import fleet

ROOT: Final = Path(__file__).resolve().parents[2]
_BLOCK: Final = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```\s*$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Example:
    page: str
    line: int
    language: str
    marks: frozenset[str]
    code: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def _examples() -> list[Example]:
    pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("src/**/*.md")]
    return [example for page in sorted(pages) for example in _read(page)]


def _read(page: Path) -> list[Example]:
    text = page.read_text(encoding="utf-8")
    return [
        Example(
            page=str(page.relative_to(ROOT)),
            line=text.count("\n", 0, found.start()) + 1,
            language=found[1],
            marks=frozenset(found[2].split()),
            code=found[3],
        )
        for found in _BLOCK.finditer(text)
    ]


EXAMPLES: Final = _examples()
PYTHON: Final = [example for example in EXAMPLES if example.language == "python"]
RUNNING: Final = sorted({example.page for example in PYTHON if "run" in example.marks})
FLEETS: Final = [example for example in EXAMPLES if example.language == "yaml" and "fleet" in example.marks]


@pytest.mark.parametrize("example", PYTHON, ids=str)
def test_python_in_the_documents_is_python(example: Example) -> None:
    ast.parse(example.code, filename=str(example))


@pytest.mark.slow
@pytest.mark.parametrize("page", RUNNING)
def test_the_running_examples_of_a_page_run_in_order(page: str, tmp_path: Path) -> None:
    program = "\n".join(example.code for example in PYTHON if example.page == page and "run" in example.marks)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("example", FLEETS, ids=str)
def test_a_fleet_file_of_the_documents_loads(example: Example, tmp_path: Path) -> None:
    file = tmp_path / "fleet.yaml"
    file.write_text(example.code, encoding="utf-8")
    assert fleet.load(file).servers


def test_the_documents_hold_examples() -> None:
    assert EXAMPLES, "no example was found: the reader of this test is broken"
