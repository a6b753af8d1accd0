"""What to paste into an AI client: the part of its file, the line for a shell, the links. No text holds a secret.

Pure: the command line prints it and the page for connecting shows it, so that the two cannot differ.
"""

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, assert_never, cast

from pierhead.core.ai_client import AiClient, Connection, Format, filled

_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")
_PLAIN: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_WORDS_OF_YAML: Final = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})


@dataclass(frozen=True, slots=True)
class Snippets:
    """Everything to paste or click for one client: `document` belongs in its file, `commands` in a shell."""

    document: str
    commands: tuple[str, ...]
    sign_in: tuple[str, ...]
    links: tuple[str, ...]


def snippets_of(client: AiClient, connections: Sequence[Connection]) -> Snippets:
    """The snippets for these servers."""
    return Snippets(
        document=part_of_file(client, connections),
        commands=tuple(_line(client.command, each) for each in connections if client.command),
        sign_in=tuple(_line(client.sign_in, each) for each in connections if client.sign_in),
        links=tuple(link for each in connections for link in client.links_to(each)),
    )


def _line(template: str, connection: Connection) -> str:
    """A line for a shell. Names and addresses are quoted where a shell would read more than text in them."""
    quoted = Connection(shlex.quote(connection.name), shlex.quote(connection.url))
    within_quotes = "'" in template
    return str(filled(template, connection if within_quotes else quoted))


def part_of_file(client: AiClient, connections: Sequence[Connection]) -> str:
    """The part of the client's file that names these servers, as that file is written."""
    entries = {each.name: client.entry_of(each) for each in connections}
    match client.format:
        case Format.TOML:
            return "\n".join(_toml(client.top, name, entry) for name, entry in entries.items())
        case Format.YAML:
            return _yaml(client, entries)
        case Format.JSON:
            return json.dumps(_nested(client.top, entries), indent=2, ensure_ascii=False) + "\n"
        case _:
            assert_never(client.format)


def _nested(top: tuple[str, ...], entries: Mapping[str, object]) -> object:
    document: object = entries
    for key in reversed(top):
        document = {key: document}
    return document


def _toml(top: tuple[str, ...], name: str, entry: Mapping[str, object]) -> str:
    """One table. A JSON text, number or truth value is one of TOML too."""
    head = ".".join(key if _BARE.fullmatch(key) else json.dumps(key) for key in (*top, name))
    lines = [f"{key} = {json.dumps(value)}" for key, value in entry.items()]
    return "\n".join([f"[{head}]", *lines, ""])


def _yaml(client: AiClient, entries: Mapping[str, Mapping[str, object]]) -> str:
    lines = [f"{'  ' * depth}{key}:" for depth, key in enumerate(client.top)]
    margin = "  " * len(client.top)
    for name, entry in entries.items():
        members = [f"{key}: {_scalar(value)}" for key, value in entry.items()]
        if client.is_list:
            lines += [f"{margin}- {members[0]}", *(f"{margin}  {member}" for member in members[1:])]
        else:
            lines += [f"{margin}{_scalar(name)}:", *(f"{margin}  {member}" for member in members)]
    return "\n".join([*lines, ""])


def _scalar(value: object) -> str:
    """A JSON value is one of YAML; words that mean nothing else need no quotes."""
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _WORDS_OF_YAML:
        return value
    return json.dumps(cast("object", value))
