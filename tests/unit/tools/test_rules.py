"""Our own rules: each finds what it is for, and lets pass what is right."""

import pytest
from tools.findings import Source
from tools.rules import Excepted, breaches, check_rules


def _found(code: str, path: str = "src/pierhead/adapters/some.py") -> list[str]:
    return [breach.rule for breach in breaches(Source(path, code))]


@pytest.mark.parametrize(
    "code",
    [
        "import importlib\nimportlib.import_module('x')",
        "from importlib import import_module\nimport_module('x')",
        "__import__('x')",
        "from importlib.metadata import entry_points",
        "import importlib.metadata\nimportlib.metadata.entry_points()",
    ],
)
def test_a_dynamic_import_belongs_into_plugins(code: str) -> None:
    assert _found(code) == ["dynamic-import"]
    assert _found(code, "src/pierhead/bootstrap/plugins.py") == []


@pytest.mark.parametrize(
    "statement",
    [
        'f"SELECT * FROM {table}"',
        '"SELECT * FROM " + table',
        '"SELECT * FROM %s" % table',
        '"SELECT * FROM {}".format(table)',
        'prefix + f"{table}"',
    ],
)
@pytest.mark.parametrize("call", ["connection.execute", "cursor.executemany", "db.exec_driver_sql", "text"])
def test_sql_put_together_from_text_is_found(statement: str, call: str) -> None:
    assert _found(f"{call}({statement})") == ["formatted-sql"]


@pytest.mark.parametrize("statement", ['"SELECT 1"', "statement", 'f"SELECT 1"', "select(table)", "one + two"])
def test_sql_that_is_a_constant_or_an_object_passes(statement: str) -> None:
    assert _found(f"connection.execute({statement}, values)") == []


def test_only_decide_and_approve_make_a_permit() -> None:
    assert _found("Permit(request, ())") == ["made-permit"]
    assert _found("policy.Permit(request, ())") == ["made-permit"]
    assert _found("Permit(request, ())", "src/pierhead/core/policy.py") == []
    assert _found("Permit(request, ())", "src/pierhead/usecases/call_tool.py") == []


@pytest.mark.parametrize(
    "caught", ["except Exception:", "except BaseException:", "except:", "except (OSError, Exception):"]
)
def test_a_broad_except_is_found(caught: str) -> None:
    assert _found(f"try:\n    run()\n{caught}\n    pass") == ["broad-except"]


def test_an_except_that_names_what_it_handles_passes() -> None:
    assert _found("try:\n    run()\nexcept (OSError, ValueError):\n    pass") == []


BROAD = "def main():\n    try:\n        run()\n    except Exception:\n        pass"


def test_an_exception_with_a_reason_is_put_up_with() -> None:
    listed = [Excepted("broad-except", "a.py", "main", "the top of a program")]
    assert check_rules([Source("a.py", BROAD)], listed) == []


def test_an_exception_without_a_reason_is_none() -> None:
    listed = [Excepted("broad-except", "a.py", "main", " ")]
    assert {finding.path for finding in check_rules([Source("a.py", BROAD)], listed)} == {
        "a.py",
        "tools/rule_exceptions.toml",
    }


def test_an_exception_that_nothing_needs_is_a_finding() -> None:
    listed = [Excepted("broad-except", "a.py", "gone", "once")]
    messages = [finding.message for finding in check_rules([Source("a.py", "")], listed)]
    assert messages == ["no longer needed or without a reason: broad-except a.py gone"]
