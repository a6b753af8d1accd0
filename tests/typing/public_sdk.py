"""What a type checker sees of the public SDK. basedpyright checks this file, and a test runs it.

A declaration changes nothing about a function: not its parameters, not its result, not that it is asynchronous.
"""

from collections.abc import Callable, Coroutine
from typing import Any, assert_type

from mcp.server.mcpserver import MCPServer

from pierhead import Caller, Invalid, Minutes, Server, authorize_tool
from pierhead.core.identity import User, Workload
from pierhead.testing import Running, platform

server = Server("typed", owner="o", support="#s")
assert_type(server, Server)
assert_type(server.name, str)


@server.tool(policy="everyone", effect="read", minutes_saved=1)
def add(a: int, b: int = 0) -> int:
    """Add."""
    return a + b


@server.tool(policy="everyone", effect="write", minutes_saved=Minutes(mode=2, low=1, high=5, method="estimate"))
async def greet(name: str, *, caller: Caller) -> list[str]:
    """Greet."""
    return [name, caller.name]


@authorize_tool(policy="everyone", effect="read", minutes_saved=0.5, idempotent=True, timeout=5)
async def count(status: str) -> int:
    """Count."""
    return len(status)


def as_written() -> None:
    """A declared function is called, in an author's own tests, as it was written."""
    assert_type(add(1), int)
    assert_type(add(1, b=2), int)
    keeps_its_parameters: Callable[[int, int], int] = add
    del keeps_its_parameters


async def awaited(caller: Caller) -> None:
    """The caller is a parameter like any other to whoever calls the function."""
    as_written()
    is_a_coroutine: Coroutine[Any, Any, int] = count("open")
    assert_type(await greet("ann", caller=caller), list[str])
    assert_type(await is_a_coroutine, int)


def members_of(caller: Caller) -> None:
    """Who asks may be a program alone; who reads `person` has to say what happens then."""
    assert_type(caller.name, str)
    assert_type(caller.person, User | None)
    assert_type(caller.workload, Workload | None)
    assert_type(caller.groups, frozenset[str])
    assert_type(caller.surface, str)
    assert_type(caller.environment, str)
    assert_type(caller.correlation_id, str)


async def in_memory() -> None:
    """An author's tests know what they hold."""
    async with platform(server, access="everyone") as running:
        assert_type(running, Running)
        assert_type(running.audit.kinds(), list[str])


def adopted(existing: MCPServer[Any]) -> None:
    """A server that is adopted is one of ours."""
    assert_type(Server.adopt(existing, owner="o", support="#s"), Server)


assert_type(Minutes.estimate(3), Minutes)
assert_type(Invalid("what, where", hint="what to do").code, str)
