"""One module's mutants, put to its tests: collected once, then a forked process for each mutant.

In that process the functions of the loaded module get the changed code, wherever they were imported to; nothing is
loaded again, so a mutant costs what its tests cost. What lies in no function (the default of a field) is loaded anew
from the start, in a process of its own. Not here: which changes there are (`tools.mutants`).
"""

import ast
import gc
import importlib.abc
import importlib.machinery
import importlib.util
import os
import signal
import sys
import tempfile
import time
import types
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tools.mutants import Mutant

_LEAST_S: Final = 30
_TIMES: Final = 10
_OPTIONS: Final = ("-x", "-q", "-s", "-p", "no:cacheprovider", "-p", "no:cov", "--hypothesis-seed=1")
_WARNINGS: Final = ("-W", "ignore::pytest.PytestAssertRewriteWarning", "-W", "ignore::pytest.PytestConfigWarning")

Codes = dict[tuple[str, int], types.CodeType]


@dataclass(slots=True)
class Trial:
    """Tries mutants of one module in one collected test session. A pytest plug-in."""

    path: Path
    mutants: Sequence[Mutant]
    survivors: list[Mutant] = field(default_factory=list[Mutant])
    unloaded: list[Mutant] = field(default_factory=list[Mutant])
    """Those that change what no function holds: `reloaded` is for them."""
    took_s: float = 0.0
    fails_unchanged: bool = False

    def pytest_configure(self) -> None:
        """No shrinking, and nothing remembered from one mutant to the next: that a test fails is all that counts."""
        from hypothesis import Phase, settings  # noqa: PLC0415 - loaded with the tests

        settings.register_profile(
            "mutation", settings.get_profile("pierhead"), phases=(Phase.explicit, Phase.generate), database=None
        )
        settings.load_profile("mutation")

    def pytest_runtestloop(self, session: Any) -> bool:  # noqa: ANN401 - pytest's own type is private
        session.items.sort(key=_is_generated)  # stable: what is quick to fail goes first
        began = time.monotonic()
        self.fails_unchanged = _fails(session, None, 600)
        self.took_s = time.monotonic() - began
        if self.fails_unchanged:
            return True
        original, limit = _codes(ast.parse(self.path.read_text("utf-8")), self.path), self._limit()
        functions = _functions(str(self.path))
        for mutant in self.mutants:
            changed = _codes(mutant.tree, self.path)
            if _same(original, changed):
                self.unloaded.append(mutant)
            elif not _fails(session, (functions, changed), limit):
                self.survivors.append(mutant)
        return True

    def _limit(self) -> int:
        return max(_LEAST_S, int(self.took_s * _TIMES))


def _is_generated(item: Any) -> bool:  # noqa: ANN401 - as above
    return bool(getattr(getattr(item, "function", None), "is_hypothesis_test", False))


def _same(one: Codes, other: Codes) -> bool:
    return one.keys() == other.keys() and all(other[key] == code for key, code in one.items())


def _codes(tree: ast.Module, path: Path) -> Codes:
    """Every function's code of a module, by qualified name and first line."""
    return {(code.co_qualname, code.co_firstlineno): code for code in _inner(compile(tree, str(path), "exec"))}


def _inner(code: types.CodeType) -> Iterator[types.CodeType]:
    for part in code.co_consts:
        if isinstance(part, types.CodeType):
            if part.co_flags & 0x2:  # CO_NEWLOCALS: a function, where a class body has none
                yield part
            yield from _inner(part)


_Change = tuple[list[types.FunctionType], Codes]


def _functions(path: str) -> list[types.FunctionType]:
    """Every function of that file that there is, whoever imported it."""
    found = [each for each in gc.get_objects() if isinstance(each, types.FunctionType)]
    return [each for each in found if each.__code__.co_filename == path]


def _fails(session: object, changed: _Change | None, limit_s: int) -> bool:
    """Whether a test fails with that code; one that hangs has failed."""
    child = os.fork()
    if child == 0:
        signal.alarm(limit_s)
        os._exit(_tried(session, changed))
    _, status = os.waitpid(child, 0)
    return status != 0


def _tried(session: Any, changed: _Change | None) -> int:  # noqa: ANN401 - pytest's own type is private
    from _pytest.main import pytest_runtestloop  # noqa: PLC0415 - loaded by the session already

    silent = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silent, 1)
    os.dup2(silent, 2)
    try:
        if changed is not None:
            _replace(*changed)
        pytest_runtestloop(session)
    except BaseException:  # noqa: BLE001 - whatever ended the session: it did not pass
        return 1
    return int(session.testsfailed != 0)


def _replace(functions: list[types.FunctionType], codes: Codes) -> None:
    for each in functions:
        each.__code__ = codes.get((each.__code__.co_qualname, each.__code__.co_firstlineno), each.__code__)


def tried(path: Path, chosen: Sequence[Mutant], tests: Sequence[str]) -> Trial:
    """All of these mutants, put to these tests. Errors: SystemExit, where the tests fail without any change."""
    import pytest  # noqa: PLC0415 - only a process that tries mutants loads it

    trial = Trial(path, chosen)
    with tempfile.TemporaryDirectory() as folder:
        code = pytest.main([*_OPTIONS, *_WARNINGS, f"--basetemp={folder}/tests", *tests], plugins=[trial])
    if code != 0 or trial.fails_unchanged:
        raise SystemExit(f"the tests of {path} fail without any change")
    return trial


@dataclass(slots=True)
class _Loader(importlib.abc.Loader):
    tree: ast.Module
    path: str

    def exec_module(self, module: types.ModuleType) -> None:
        exec(compile(self.tree, self.path, "exec"), module.__dict__)  # noqa: S102 - our own module, changed


@dataclass(slots=True)
class _Finder(importlib.abc.MetaPathFinder):
    name: str
    loader: _Loader

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        del path, target
        if fullname != self.name:
            return None
        file = Path(self.loader.path)
        inside = [str(file.parent)] if file.name == "__init__.py" else None
        return importlib.util.spec_from_file_location(
            fullname, self.loader.path, loader=self.loader, submodule_search_locations=inside
        )


def reloaded(name: str, path: Path, mutant: Mutant, tests: Sequence[str]) -> bool:
    """Whether the tests fail where that module is loaded changed; call it where nothing of ours is loaded yet."""
    child = os.fork()
    if child == 0:
        import pytest  # noqa: PLC0415 - as above

        signal.alarm(600)
        silent = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silent, 1)
        os.dup2(silent, 2)
        sys.meta_path.insert(0, _Finder(name, _Loader(mutant.tree, str(path))))
        os._exit(int(pytest.main([*_OPTIONS, *_WARNINGS, *tests]) != 0))
    _, status = os.waitpid(child, 0)
    return status != 0
