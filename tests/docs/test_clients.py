"""The table of clients in the how-to page, against the clients in the code.

`python -m tests.docs.test_clients` prints the table as it has to be.
"""

from pathlib import Path

from pierhead.bootstrap.plugins import ai_clients
from pierhead.core.ai_client import AiClient, Place, Scope, System

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "connect-a-client.md"
_MARK = "<!-- clients: held to the code by tests/docs/test_clients.py -->\n"


def table() -> str:
    head = "\n| client | is | your file | a project's file | entries under |\n|---|---|---|---|---|\n"
    return head + "".join(row(client) for client in ai_clients().values())


def row(client: AiClient) -> str:
    cells = (
        f"`{client.id}`",
        client.name + (", through a bridge" if client.bridged else ""),
        where(client.place(Scope.USER)),
        where(client.place(Scope.PROJECT)),
        f"`{'.'.join(client.top)}`" + (", a list" if client.is_list else ""),
    )
    return f"| {' | '.join(cells)} |\n"


def where(place: Place | None) -> str:
    if place is None:
        return "-"
    paths = {System.LINUX: place.linux, System.MACOS: place.macos, System.WINDOWS: place.windows}
    told = {system: path.replace("|", ", else ") for system, path in paths.items() if path}
    if len(told) == len(paths) and len(set(told.values())) == 1:
        return f"`{place.linux.replace('|', ', else ')}`"
    return "; ".join(f"{_NAMES[system]} `{path}`" for system, path in told.items())


_NAMES = {System.LINUX: "Linux", System.MACOS: "macOS", System.WINDOWS: "Windows"}


def test_the_page_tells_every_client_as_the_code_has_it() -> None:
    assert PAGE.read_text("utf-8").partition(_MARK)[2] == table()


if __name__ == "__main__":
    print(table(), end="")
