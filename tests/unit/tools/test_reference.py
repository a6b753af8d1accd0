"""Reference pages against the code, in both directions; and what is read from the code."""

from pathlib import Path

import typer
import typer.main
from tools import truth
from tools.findings import Source
from tools.reference import Reference, check_references, rows


def _compare(tmp_path: Path, page: str, *names: str) -> list[str]:
    (tmp_path / "page.md").write_text(page, encoding="utf-8")
    return [str(found) for found in check_references([Reference("page.md", "code", frozenset(names))], tmp_path)]


def test_a_name_without_a_row_is_a_finding(tmp_path: Path) -> None:
    assert _compare(tmp_path, "| `a` | is |\n", "a", "b") == ["page.md: code `b` is not documented"]


def test_a_row_without_a_name_is_a_finding(tmp_path: Path) -> None:
    assert _compare(tmp_path, "| `a` | is |\n| `b` | was |\n", "a") == ["page.md:2: code `b` is not in the code"]


def test_a_page_that_is_not_there_documents_nothing(tmp_path: Path) -> None:
    found = check_references([Reference("gone.md", "code", frozenset({"a"}))], tmp_path)
    assert [finding.message for finding in found] == ["code `a` is not documented"]


def test_rows_in_fenced_code_document_nothing() -> None:
    assert rows("```\n| `a` | x |\n```\n| `b` | y |\n") == {"b": 4}


CODE = """
class PierheadError(Exception):
    default_code: ClassVar[str] = "internal"
class Refused(PierheadError):
    default_code = "refused"
class Finer(errors.Refused):
    pass
class Other:
    default_code = "no error"
raise Finer("no", code="finer")
close(code="no error either")
errors.Refused("no", hint="h", code="dotted")
"""


def test_error_codes_are_those_of_the_tree_alone() -> None:
    assert truth.error_codes([Source("a.py", CODE)]) == {"internal", "refused", "finer", "dotted"}


def test_every_fact_has_its_kind() -> None:
    kinds = truth.fact_kinds()
    assert {"call-started", "call-finished", "call-refused", "call-lost"} <= kinds


def test_commands_are_those_that_can_be_typed() -> None:
    program = typer.Typer()
    audit = typer.Typer()
    program.command("up")(lambda: None)
    program.command("secret", hidden=True)(lambda: None)
    audit.command("verify")(lambda: None)
    audit.command("tail")(lambda: None)
    program.add_typer(audit, name="audit")
    assert set(truth.leaves(typer.main.get_command(program), "pierhead")) == {
        "pierhead up",
        "pierhead audit verify",
        "pierhead audit tail",
    }


def test_routes_are_read_from_route_tables_and_decorators() -> None:
    code = "Route('/a', x)\n@api.get('/b/{c}')\ndef b(): ...\nprint('/d')\nheaders.get('e')\nself._route('/f', g)\n"
    assert truth.routes([Source("a.py", code)]) == {"/a", "/b/{c}", "/f"}


def test_routes_are_read_from_tables_of_pages_matches_and_the_relays_pattern() -> None:
    code = "PAGES: Pages = {'/a': a}\nmatch path:\n    case '/b': pass\nS = re.compile(rb'/mcp/([a-z]+)')\n"
    assert truth.routes([Source("a.py", code)]) == {"/a", "/b", "/mcp/{server}"}


def test_a_page_may_come_before_the_code_it_documents(tmp_path: Path) -> None:
    assert _compare(tmp_path, "| `a` | will be |\n") == []


def test_metrics_are_read_from_texts() -> None:
    code = "counter('pierhead_calls_total')\nf'pierhead_upstream_up{x} 1'\ncookie = 'pierhead_session'\n"
    assert truth.metrics([Source("a.py", code)]) == {"pierhead_calls_total", "pierhead_upstream_up"}
