"""`--tool-coverage`: whether each tool was called with success, and each `raise` of its module was reached.

A tool's body is watched while the tests run; an error counts by the lines of its traceback. Not here: the plug-in.
"""

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pierhead.sdk.server import Server
    from pierhead.sdk.tool import BoundTool

Line = tuple[str, int]


@dataclass(slots=True)
class ToolCoverage:
    """What a session's tests reached. `tools` and `raises` are all there are, `succeeded` and `lines` what was."""

    tools: set[str] = field(default_factory=set[str])
    succeeded: set[str] = field(default_factory=set[str])
    raises: set[tuple[str, int, int]] = field(default_factory=set[tuple[str, int, int]])
    lines: set[Line] = field(default_factory=set[Line])
    _watched: set[int] = field(default_factory=set[int])

    def watch(self, server: "Server") -> None:
        """Watch every tool of the server, once."""
        if id(server) in self._watched:
            return
        self._watched.add(id(server))
        for bound in server.tools.values():
            self.tools.add(f"{server.name}.{bound.name}")
            self._wrap(f"{server.name}.{bound.name}", bound)
        files = {sys.modules[bound.body.__module__].__file__ or "" for bound in server.tools.values()}
        self.raises |= {found for file in files if Path(file).is_file() for found in _raises(file)}

    def missing(self) -> list[str]:
        """What no test reached, in words."""
        untried = [f"no test saw {name} succeed" for name in sorted(self.tools - self.succeeded)]
        unreached = [
            f"no test reached the error at {file}:{first}"
            for file, first, last in sorted(self.raises)
            if not any(place == file and first <= line <= last for place, line in self.lines)
        ]
        return untried + unreached

    def _wrap(self, name: str, bound: "BoundTool") -> None:
        body = bound.body

        async def watched(**values: object) -> object:
            try:
                result = await body(**values)
            finally:
                self.lines |= set(_places(sys.exc_info()[2]))
            self.succeeded.add(name)
            return result

        watched.__module__ = body.__module__
        object.__setattr__(bound, "body", watched)  # frozen for everybody but whoever watches


def _places(trace: TracebackType | None) -> Iterator[Line]:
    while trace is not None:
        yield trace.tb_frame.f_code.co_filename, trace.tb_lineno
        trace = trace.tb_next


def _raises(file: str) -> Iterator[tuple[str, int, int]]:
    """Every `raise` of something new inside a function, from its first line to its last."""
    for node in ast.walk(ast.parse(Path(file).read_text("utf-8"))):
        if isinstance(node, ast.Raise) and node.exc is not None:
            yield file, node.lineno, node.end_lineno or node.lineno
