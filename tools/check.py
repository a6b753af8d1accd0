"""`make check`: everything a machine can judge without running the product. Ends with `ok` or the findings.

Runs the outside tools first, then our own rules. Every step runs, whatever the ones before found: one run shows all.
"""

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from tools import openapi, reference, rules, shape, texts
from tools.findings import ROOT, Finding, sources, tracked_files

_TEXT_SUFFIXES: Final = (
    *(".py", ".md", ".toml", ".yaml", ".yml", ".json", ".lock", ".txt", ".cfg", ".sh", ".js", ".mjs", ".css", ".html"),
    *(".svg", ".sql", ".npmrc", ".importlinter", "Makefile", ".ci/run", ".gitignore", ".typed"),
)

Step = Callable[[], Sequence[str]]


def main() -> int:
    """Run every step; 1 if any found something."""
    findings = [(name, found) for name, step in steps().items() if (found := _timed(name, step))]
    if not findings:
        print("ok")
        return 0
    for name, found in findings:
        print(f"\n{name}:")
        print("\n".join(found))
    print(f"\nfindings in: {', '.join(name for name, _ in findings)}")
    return 1


def steps() -> dict[str, Step]:
    """The checks by name, in order."""
    paths = tracked_files()
    every = sources(paths, suffix=_TEXT_SUFFIXES)
    product = [source for source in every if source.path.startswith("src/") and source.path.endswith(".py")]
    pages = [source for source in every if source.path.endswith(".md")]
    return {
        "format": _program("ruff", "format", "--check", "--quiet", "."),
        "lint": _program("ruff", "check", "--quiet", "."),
        "types": _program("basedpyright"),
        "imports": _program("lint-imports", "--no-logo", "--no-cache"),
        "shape": _own(lambda: shape.check_shape(product, shape.read_exceptions(ROOT / shape.EXCEPTIONS))),
        "rules": _own(lambda: rules.check_rules(product, rules.read_exceptions(ROOT / rules.EXCEPTIONS))),
        "texts": _own(lambda: texts.check_texts(every)),
        "links": _own(lambda: texts.check_links(pages) + texts.check_mentions(product)),
        "reference": _own(lambda: reference.check_references(reference.references(product))),
        "openapi": _own(openapi.check_openapi),
        "examples": _program("pytest", "tests/docs", "-m", "not slow", "-p", "no:cacheprovider"),
    }


def _timed(name: str, step: Step) -> Sequence[str]:
    print(f"· {name:<10}", end="", flush=True)
    started = time.monotonic()
    found = step()
    print(f"{'ok' if not found else 'findings':<9} {time.monotonic() - started:5.1f} s", flush=True)
    return found


def _own(check: Callable[[], list[Finding]]) -> Step:
    return lambda: [str(finding) for finding in sorted(check())]


def _program(name: str, *arguments: str) -> Step:
    def run() -> Sequence[str]:
        command = [str(Path(sys.executable).parent / name), *arguments]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return []
        return (done.stdout + done.stderr).strip().splitlines() or [f"{name} ended with {done.returncode}"]

    return run


if __name__ == "__main__":
    sys.exit(main())
