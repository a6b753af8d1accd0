"""Clients that people let in, from the shell."""

from tests.shells import Shell


def test_clients_are_listed_and_let_in_no_more(shell: Shell) -> None:
    listed = shell.run("alice", "consents", "list", "--json").document
    assert [each["client"] for each in listed] == ["Claude"]
    assert shell.run("bob", "consents", "list", "--json").document == []
    assert shell.run("bob", "consents", "revoke", listed[0]["id"]).code == 4
    left = shell.run("alice", "consents", "revoke", listed[0]["id"], "-o", "json")
    assert left.document == {"consents": []}
