"""The threat checklist of a project, filled from what its tools declare: what reviewers ask, asked beforehand.

Not here: judging it. Its author answers; reviewers read the answers.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, cast

from pierhead.core.approval import Approval
from pierhead.core.catalog import Effect, Tool

_ALWAYS: Final = (
    "Which system stands behind it, and as whom does it go there? Nobody may do through it what they may not do there.",
    "Does any answer hold text that strangers wrote? Then say `untrusted_results: true` in its entry.",
    "Does any answer hold data about people, or a secret? Then say `personal_data: true`, and leave secrets out.",
    "To which hosts outside does it send data? They stand under `egress` in its entry.",
    "What does it answer when its system is away, slow, or says something unforeseen?",
)


def threats(name: str, tools: Iterable[Tool]) -> str:
    """The checklist as Markdown."""
    known = tuple(tools)
    rows = [
        f"| `{tool.name}` | {tool.effect} | {tool.policy} | {tool.approval} | {', '.join(free_texts(tool)) or 'none'} |"
        for tool in known
    ]
    return "\n".join(
        [
            f"# Threats to {name}",
            "",
            "Filled from the declarations by `pierhead new`; `pierhead new . --update` fills it again, beside yours",
            "once you have edited it. Answer each question before the review, and tick it.",
            "",
            "| tool | effect | for | approval | free text |",
            "|---|---|---|---|---|",
            *rows,
            "",
            *(f"- [ ] {question}" for tool in known for question in _questions(tool)),
            *(f"- [ ] {question}" for question in _ALWAYS),
            "",
        ]
    )


def _questions(tool: Tool) -> Iterator[str]:
    if tool.policy.any_person:
        yield f"`{tool.name}` is for everyone who is signed in: is that meant?"
    if tool.effect is Effect.WRITE:
        again = (
            "Called twice, it does the same once."
            if tool.idempotent
            else "Called twice, it acts twice: does that harm?"
        )
        yield f"`{tool.name}` writes: what is the worst that a wrong call does, and how is it taken back? {again}"
    if tool.effect is Effect.DESTRUCTIVE:
        yield f"`{tool.name}` destroys: does whoever agrees see exactly what will be gone, and is there a copy?"
    if tool.effect is Effect.WRITE and tool.approval is Approval.NONE:
        yield f"`{tool.name}` writes without anybody's yes: would you let a program call it a hundred times?"
    for argument in free_texts(tool):
        yield f"`{argument}` of `{tool.name}` is free text: where does it end up, and is it ever read as a command?"


def free_texts(tool: Tool) -> tuple[str, ...]:
    """The arguments that take any text."""
    given = cast("Mapping[str, Mapping[str, Any]]", tool.input_schema.get("properties", {}))
    return tuple(
        name
        for name, schema in given.items()
        if schema.get("type") == "string" and not {"enum", "const", "pattern"} & schema.keys()
    )
