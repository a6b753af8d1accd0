"""Files of AI clients: edited in place, replaced whole, refused when broken. On a real disk."""

import json
import tomllib
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pierhead.adapters.client_files import DiskClientFiles, jsonc
from pierhead.adapters.client_files.texts import edited, parsed
from pierhead.core.ai_client import Format
from pierhead.core.errors import Conflict, Invalid
from pierhead.usecases.ports_clients import Edit

ENTRY = {"type": "http", "url": "https://mcp.corp.example/mcp/presto"}
SETTINGS = """\ufeff{
    // what I use at work
    "editor.fontSize": 13, /* not smaller */
    "servers": {
        "github": {"url": "https://example.org/mcp"}, // theirs
        "other": {
            "command": "npx" // "quoted"
        }, // the last one
        // nothing below
    },
    "list": [1, 2.5e3, -0, true, null,],
}
"""


def test_comments_order_and_everything_else_stay_byte_for_byte() -> None:
    after = edited("f", Format.JSON, SETTINGS, Edit(("servers", "presto"), ENTRY))
    block = '        // nothing below\n        "presto": {\n            "type": "http",\n'
    assert block in after
    begin = after.index('        "presto"')
    end = after.index("    },\n", begin)
    assert after[:begin] + after[end:] == SETTINGS


def test_an_entry_is_replaced_where_it_stands() -> None:
    after = edited("f", Format.JSON, SETTINGS, Edit(("servers", "github"), {"url": "u"}))
    assert after.replace('{\n            "url": "u"\n        }', '{"url": "https://example.org/mcp"}') == SETTINGS


@pytest.mark.parametrize(
    "text", ["", "  \n", "{}", "{ }\n", '{"mcpServers": {}}', '{"mcpServers": {"a": {}}}', "{\n}\n"]
)
def test_what_is_missing_is_made(text: str) -> None:
    after = edited("f", Format.JSON, text, Edit(("mcpServers", "presto"), ENTRY))
    assert json.loads(after)["mcpServers"]["presto"] == ENTRY


def test_a_file_of_another_system_keeps_its_line_ends() -> None:
    after = edited("f", Format.JSON, '{\r\n\t"a": 1\r\n}\r\n', Edit(("b",), {"c": 2}))
    assert after == '{\r\n\t"a": 1,\r\n\t"b": {\r\n\t\t"c": 2\r\n\t}\r\n}\r\n'


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ('{\n "a": 1\n "b": 2}', 3, "} is missing"),
        ('{\n "a": 1,\n "a": 2}', 3, "a stands here twice"),
        ('{"a": 1}\n{}', 2, "after the end"),
        ('{"a": ', 1, "ends too early"),
        ("[1]", 1, "no object"),
        ('{"a": tru}', 1, "no JSON value"),
        ("{'a': 1}", 1, "no key in quotes"),
        ("[" * 5000, 1, "deeper than"),
    ],
)
def test_broken_json_is_refused_with_its_line(text: str, line: int, what: str) -> None:
    with pytest.raises(Invalid, match=f"mcp.json, line {line}: .*{what}") as refused:
        parsed("mcp.json", Format.JSON, text)
    assert refused.value.code == "client-file-broken"


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(st.text(), _JSON, max_size=5), st.sampled_from([None, 2, "\t"]))
def test_it_reads_what_the_standard_library_writes(document: dict[str, object], indent: int | str | None) -> None:
    assert jsonc.read_json(json.dumps(document, indent=indent)).value == document


@given(st.dictionaries(st.text(), _JSON, max_size=5), st.sampled_from([None, 2, "\t"]), st.text(), _JSON)
def test_an_edit_changes_one_member_of_any_document(
    document: dict[str, object], indent: int | str | None, key: str, value: object
) -> None:
    after = edited("f", Format.JSON, json.dumps(document, indent=indent), Edit((key,), value))
    assert jsonc.read_json(after).value == {**document, key: value}


CODEX = """# mine
model = "o4"  # cheap

[mcp_servers.docs]   # theirs
command = "npx"

[tui]
theme = "dark"
"""


def test_toml_keeps_comments_and_order() -> None:
    after = edited("f", Format.TOML, CODEX, Edit(("mcp_servers", "presto"), {"url": "u", "tool_timeout_sec": 120}))
    assert tomllib.loads(after)["mcp_servers"]["presto"] == {"url": "u", "tool_timeout_sec": 120}
    added = after.replace('[mcp_servers.presto]\nurl = "u"\ntool_timeout_sec = 120\n', "")
    assert [line for line in added.splitlines() if line] == [line for line in CODEX.splitlines() if line]


@pytest.mark.parametrize(
    "text", ["", "mcp_servers = {}\n", 'model = "a"', "[mcp_servers]\n", "[mcp_servers.presto]\nurl='x'\n"]
)
def test_toml_is_begun_and_replaced(text: str) -> None:
    after = edited("f", Format.TOML, text, Edit(("mcp_servers", "presto"), {"url": "u"}))
    assert tomllib.loads(after)["mcp_servers"] == {"presto": {"url": "u"}}


def test_broken_toml_is_refused_with_its_line() -> None:
    with pytest.raises(Invalid, match=r"config\.toml, line 2"):
        parsed("config.toml", Format.TOML, "a = 1\nb = = 2\n")


GOOSE = """# how I work
GOOSE_MODEL: "gpt"   # quotes stay
extensions:
  # built in
  developer:
    enabled: true
    type: builtin   # ours
"""
CONTINUE = """name: Mine
models:
  - name: a   # fast
    provider: p
mcpServers:
  # first
  - name: docs
    command: npx
  # second
  - name: more
    url: https://example.org
"""


def test_yaml_keeps_comments_and_order() -> None:
    after = edited("f", Format.YAML, GOOSE, Edit(("extensions", "presto"), {"type": "streamable_http", "uri": "u"}))
    assert after.startswith(GOOSE)
    assert yaml.safe_load(after)["extensions"]["presto"] == {"type": "streamable_http", "uri": "u"}


def test_an_item_is_added_to_a_list_of_yaml() -> None:
    entry = {"name": "presto", "type": "streamable-http", "url": "u"}
    after = edited("f", Format.YAML, CONTINUE, Edit(("mcpServers",), entry, item="presto"))
    assert after.startswith(CONTINUE)
    assert yaml.safe_load(after)["mcpServers"][2] == entry


def test_an_item_of_a_list_is_replaced_and_the_others_stay() -> None:
    entry = {"name": "more", "type": "streamable-http", "url": "u"}
    after = edited("f", Format.YAML, CONTINUE, Edit(("mcpServers",), entry, item="more"))
    assert yaml.safe_load(after)["mcpServers"] == [{"name": "docs", "command": "npx"}, entry]
    assert after.startswith(CONTINUE.partition("  - name: more")[0])


def test_an_edit_that_would_lose_a_comment_is_refused() -> None:
    with pytest.raises(Invalid, match="mcpServers cannot be set in place"):
        edited("f", Format.YAML, CONTINUE, Edit(("mcpServers",), {"name": "docs", "url": "u"}, item="docs"))


@pytest.mark.parametrize("text", ["", "extensions:\n", "# only a comment\n", "extensions: {}\n"])
def test_yaml_is_begun(text: str) -> None:
    after = edited("f", Format.YAML, text, Edit(("extensions", "presto"), {"uri": "u"}))
    assert yaml.safe_load(after) == {"extensions": {"presto": {"uri": "u"}}}
    assert text.strip("\n").split(":")[0] in after


@pytest.mark.parametrize(
    ("text", "line"),
    [("a: 1\nb: [", 2), ("a: 1\na: 2\n", 2), ("- 1\n", 1), ("a: 1\n\tb: 2", 2), ("a: !!python/name:os.system x", 1)],
)
def test_broken_yaml_is_refused_with_its_line(text: str, line: int) -> None:
    with pytest.raises(Invalid, match=f"config.yaml, line {line}:"):
        parsed("config.yaml", Format.YAML, text)


def test_entries_are_not_put_into_what_holds_none() -> None:
    for written_as, text in ((Format.JSON, '{"mcpServers": []}'), (Format.YAML, "mcpServers: 3\n")):
        with pytest.raises(Invalid, match="mcpServers holds no entries"):
            edited("f", written_as, text, Edit(("mcpServers", "presto"), ENTRY))


def test_a_file_is_replaced_whole_with_a_backup_and_its_mode(tmp_path: Path) -> None:
    file, disk = tmp_path / "mcp.json", DiskClientFiles()
    file.write_text("{}")
    file.chmod(0o640)
    first = disk.replace(disk.read(str(file), Format.JSON), '{"a": 1}')
    second = disk.replace(disk.read(str(file), Format.JSON), '{"a": 2}')
    assert file.read_text() == '{"a": 2}'
    assert [Path(first).name, Path(second).name] == ["mcp.json.bak", "mcp.json.bak2"]
    assert (Path(first).read_text(), Path(second).read_text()) == ("{}", '{"a": 1}')
    assert {path.stat().st_mode & 0o777 for path in (file, Path(first), Path(second))} == {0o640}
    assert len(list(tmp_path.iterdir())) == 3


def test_a_new_file_is_its_owners_alone_and_its_folders_are_made(tmp_path: Path) -> None:
    file, disk = tmp_path / "a" / "b" / "mcp.json", DiskClientFiles()
    assert disk.replace(disk.read(str(file), Format.JSON), "{}") == ""
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_link_stays_one_and_the_file_it_names_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "dotfiles").mkdir()
    real, link, disk = tmp_path / "dotfiles" / "mcp.json", tmp_path / "mcp.json", DiskClientFiles()
    real.write_text("{}")
    link.symlink_to(real)
    disk.replace(disk.read(str(link), Format.JSON), '{"a": 1}')
    assert link.is_symlink()
    assert real.read_text() == '{"a": 1}'


def test_a_file_that_changed_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    file, disk = tmp_path / "mcp.json", DiskClientFiles()
    file.write_text("{}")
    kept = disk.read(str(file), Format.JSON)
    file.write_text('{"theirs": 1}')
    with pytest.raises(Conflict, match="changed while"):
        disk.replace(kept, '{"ours": 1}')
    assert file.read_text() == '{"theirs": 1}'


def test_what_cannot_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "binary.json").write_bytes(b'{\n"a": "\xff"}')
    with pytest.raises(Invalid, match="line 2: no UTF-8"):
        DiskClientFiles().read(str(tmp_path / "binary.json"), Format.JSON)
    with pytest.raises(Invalid, match="cannot be read"):
        DiskClientFiles().read(str(tmp_path), Format.JSON)


def test_a_file_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.write_text("a file in the way")
    disk = DiskClientFiles()
    kept = disk.read(str(tmp_path / "new.json"), Format.JSON)
    blocked = type(kept)(str(folder / "mcp.json"), kept.written_as, "", {}, is_there=False)
    with pytest.raises(Invalid, match="cannot be"):
        disk.replace(blocked, "{}")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]
