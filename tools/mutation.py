"""Does a test fail if this line goes? One small change at a time to what decides, and the tests that should mind.

`python -m tools.mutation [MODULE ...]` prints a line a module and what no test noticed. Exits 1 below 90 %. Not part
of `make test`: it takes minutes. Figures: docs/reference/mutation.md. Below: `mutants`, `mutation_run`,
`mutation_plan` (modules, their tests, and the changes that change nothing).
"""

import importlib
import multiprocessing
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tools.mutants import Mutant, mutants
from tools.mutation_plan import EQUIVALENT, MODULES
from tools.mutation_run import reloaded, tried

ROOT: Final = Path(__file__).parent.parent
ENOUGH: Final = 0.90


@dataclass(frozen=True, slots=True)
class Found:
    """What came of one module."""

    tried: int
    survivors: tuple[str, ...]
    equivalent: int

    @property
    def noticed(self) -> int:
        return self.tried - len(self.survivors)


def file_of(name: str) -> Path:
    folder = ROOT / "src" / name.replace(".", "/")
    return folder / "__init__.py" if folder.is_dir() else folder.with_suffix(".py")


def run(name: str) -> Found:
    """Try every change to a module but those that change nothing. Errors: SystemExit."""
    path, tests, known = file_of(name), MODULES[name], EQUIVALENT.get(name, {})
    made = list(mutants(path.read_text("utf-8")))
    stale = known.keys() - {each.name for each in made}
    if stale:
        raise SystemExit(f"{name} has no such change any more: {', '.join(sorted(stale))}")
    chosen = [each for each in made if each.name not in known]
    survivors, unloaded = _collected(path, chosen, tests)
    survivors += [each for each in unloaded if not reloaded(name, path, each, tests)]
    told = tuple(f"line {each.line}, {each.name}" for each in sorted(survivors, key=lambda each: each.line))
    return Found(len(chosen), told, len(made) - len(chosen))


def _collected(path: Path, chosen: Sequence[Mutant], tests: Sequence[str]) -> tuple[list[Mutant], list[Mutant]]:
    """In a process of its own, so that this one stays without the modules that `reloaded` changes."""
    here, there = multiprocessing.Pipe(duplex=False)
    child = os.fork()
    if child == 0:
        trial = tried(path, chosen, tests)
        numbers = {id(each): place for place, each in enumerate(chosen)}
        there.send([[numbers[id(each)] for each in part] for part in (trial.survivors, trial.unloaded)])
        os._exit(0)
    there.close()
    try:
        survived, unloaded = here.recv()
    except EOFError:
        raise SystemExit(f"the tests of {path} fail without any change") from None
    finally:
        os.waitpid(child, 0)
    return [chosen[place] for place in survived], [chosen[place] for place in unloaded]


def main(names: Sequence[str]) -> int:
    """Print a line a module and one for each survivor; 1 if fewer than 90 % were noticed."""
    for library in ("anyio", "cryptography", "httpx2", "hypothesis", "joserfc", "pydantic", "pytest", "yaml"):
        importlib.import_module(library)  # before the forks, so that each child has it
    os.chdir(ROOT)
    found: dict[str, Found] = {}
    for name in names or MODULES:
        found[name] = run(name)
        _tell(name, found[name])
    count, noticed = sum(each.tried for each in found.values()), sum(each.noticed for each in found.values())
    print(f"all: {noticed} of {count} noticed, {noticed / count:.1%}")
    return int(noticed < count * ENOUGH)


def _tell(name: str, found: Found) -> None:
    left = f"; {found.equivalent} change nothing" if found.equivalent else ""
    print(f"{name}: {found.noticed} of {found.tried} noticed{left}", flush=True)
    for each in found.survivors:
        print(f"  {each}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
