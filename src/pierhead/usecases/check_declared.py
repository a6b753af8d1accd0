"""What a server's entry and declarations break of the standard: S15 to S17, S35, S41, S44, S45, and L11.

Pure. Above: `check_standard`. Not here: what it lists (`check_listing`), its lock file and code (adapters).
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, cast

from pierhead.core.approval import Approval
from pierhead.core.catalog import DataClass, Effect, Tool
from pierhead.core.json import Json
from pierhead.core.standard import Breach, Evidence, Look, Weight
from pierhead.core.standard_rules import breach

LONGEST_TIMEOUT_S: Final = 300.0
_SHORT_DESCRIPTION: Final = 100
_SHELLS: Final = frozenset({"sh", "bash", "zsh", "dash", "fish", "cmd", "cmd.exe", "powershell", "pwsh", "env"})
_FLOATING: Final = frozenset({"npx", "uvx", "bunx", "pipx", "dlx", "yarn", "pnpm", "npm", "docker", "podman", "deno"})
_PINNED: Final = re.compile(r"(@\d[\w.+-]*|==\d[\w.+!-]*|@sha256:[0-9a-f]{64})$")
_SECRET_NAME: Final = re.compile(r"(PASSWORD|SECRET|TOKEN|API_?KEY|PRIVATE_KEY|DSN)$", re.IGNORECASE)
_OF_AN_ENTRY: Final = ("S07", "S35", "S37", "S44", "S45", "L11")


@dataclass(frozen=True, slots=True)
class Declared:
    """What is declared of a server. `entry` is what a fleet file or registration says; None: there is none yet.

    `command` is the program of a guest by its full path, with its arguments; `is_guest`: nobody here wrote it.
    """

    entry: Mapping[str, Json] | None
    tools: Sequence[Tool]
    command: tuple[str, ...] = ()
    is_guest: bool = False
    asking: frozenset[str] = frozenset()
    """The tools that decide with each call who must agree."""


def check_declared(declared: Declared) -> Evidence:
    """The evidence of the source M: what is not said of an entry that is not there stays unseen."""
    found = [each for tool in declared.tools for each in _tool(tool, is_asking=tool.name in declared.asking)]
    unlooked = {("S15", Look.MANIFEST): "no registered version: add --as or --against"}
    unlooked |= {(rule, Look.MANIFEST): "no lock file" for rule in ("S31", "S32")}
    if declared.entry is None:
        unlooked |= {(rule, Look.MANIFEST): "no entry: name the server in a fleet file" for rule in _OF_AN_ENTRY}
    else:
        found += [*_entry(declared.entry), *_guest(declared, declared.entry), *_flow(declared, declared.entry)]
    return Evidence(tuple(found), frozenset({Look.MANIFEST}), unlooked)


def _tool(tool: Tool, *, is_asking: bool) -> Iterator[Breach]:
    where = f"tools.{tool.name}"
    taken = cast("Mapping[str, object]", tool.input_schema.get("properties") or {})
    if tool.effect is Effect.DESTRUCTIVE and tool.approval is Approval.NONE and not is_asking:
        yield breach("S17", f"{where}.approval", "it destroys, and asks nobody")
    if tool.effect is Effect.DESTRUCTIVE and not tool.idempotent and not {"plan_id", "idempotency_key"} & taken.keys():
        what, fix = "it destroys, and sent twice it does it twice", "declare `idempotent`, a plan, or `idempotency_key`"
        asks = is_asking or tool.approval is not Approval.NONE  # a yes is spent once, so sent twice it asks twice
        yield breach("S17", f"{where}.idempotent", what, fix, weight=Weight.WARNS if asks else Weight.BLOCKS)
    if tool.timeout_s > LONGEST_TIMEOUT_S:
        what = f"a call may take {tool.timeout_s:g} s"
        yield breach("S41", f"{where}.timeout", what, f"at most {LONGEST_TIMEOUT_S:g} s", weight=Weight.WARNS)


def _entry(entry: Mapping[str, Json]) -> Iterator[Breach]:
    if not entry.get("data_class"):
        yield breach("S16", "entry.data_class", "nothing says how bad it is if what it holds gets out")
    for member in ("owner", "support", "on_call", "runbook"):
        if not entry.get(member):
            yield breach("S45", f"entry.{member}", "it is not said")
    size = len(str(entry.get("description") or ""))
    if not 0 < size <= _SHORT_DESCRIPTION:
        yield breach("L11", "entry.description", f"{size} characters; at most {_SHORT_DESCRIPTION}")


def _guest(declared: Declared, entry: Mapping[str, Json]) -> Iterator[Breach]:
    """A guest's command: one program, pinned, with an environment that is written out."""
    command = declared.command
    if command:
        program = command[0].rsplit("/", 1)[-1]
        if not command[0].startswith("/"):
            yield breach("S35", "entry.command", f"{program[:60]!a} is found by the path of the day")
        if program in _SHELLS:
            yield breach("S35", "entry.command", f"it starts by {program}")
        elif program in _FLOATING and not any(_PINNED.search(word) for word in command[1:]):
            yield breach("S35", "entry.command", f"{program} takes whatever was published last")
    environment = entry.get("environment")
    given: Mapping[str, Json] = cast("Mapping[str, Json]", environment) if isinstance(environment, Mapping) else {}
    for name, value in given.items():
        if _SECRET_NAME.search(name) and isinstance(value, str) and value and "${" not in value:
            yield breach("S35", f"entry.environment.{name}", "a secret as it stands", "take it from ${NAME}")


def _flow(declared: Declared, entry: Mapping[str, Json]) -> Iterator[Breach]:
    """Private data, text of strangers, a way out: the three together are decided on, not slipped into."""
    if declared.is_guest and "untrusted_results" not in entry:
        what = "nobody here wrote it, and nothing says whether its results hold text of strangers"
        yield breach("S44", "entry.untrusted_results", what, "say untrusted_results: true or false")
    holds = entry.get("data_class", DataClass.INTERNAL)
    private = isinstance(holds, str) and holds in {DataClass.CONFIDENTIAL, DataClass.RESTRICTED}
    if private and entry.get("untrusted_results") and entry.get("egress") and not entry.get("approvers"):
        what = "private data, text of strangers and a way out, and nobody is named who approves"
        yield breach("S44", "entry.approvers", what, "split the server, or name `approvers`")
