"""A finding: where a rule was broken, and what to do. Below every check; knows none of them."""

import ast
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
_NEVER_WALKED: Final = {".git", ".venv", ".tools", ".pierhead", "node_modules", "__pycache__", "dist", "build"}


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One broken rule. `line` is 0 where the whole file is meant."""

    path: str
    line: int
    message: str

    def __str__(self) -> str:
        place = f"{self.path}:{self.line}" if self.line else self.path
        return f"{place}: {self.message}"


@dataclass(frozen=True, slots=True)
class Source:
    """One file as the checks see it: its path in the repository, and its text."""

    path: str
    text: str

    def tree(self) -> ast.Module:
        return ast.parse(self.text, filename=self.path)


def tracked_files(root: Path = ROOT) -> list[str]:
    """What git tracks or would track, as sorted relative paths; without git, what lies there."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, cwd=root, capture_output=True, check=True, text=True).stdout.split("\0")
    except (OSError, subprocess.CalledProcessError):
        listed = [str(path.relative_to(root)) for path in _walk(root)]
    return sorted(path for path in listed if path and (root / path).is_file())


def _walk(folder: Path) -> Iterator[Path]:
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            if entry.name not in _NEVER_WALKED:
                yield from _walk(entry)
        elif entry.is_file():
            yield entry


def sources(paths: Iterable[str], *, suffix: str | tuple[str, ...], root: Path = ROOT) -> list[Source]:
    """The files among `paths` that end in `suffix`, read as UTF-8."""
    return [Source(path, (root / path).read_text(encoding="utf-8")) for path in paths if path.endswith(suffix)]
