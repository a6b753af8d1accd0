"""A project made from a template, and brought to a later one: files in, files out.

What was written is kept as digests beside the answers, so that an update replaces what its author left as it was, and
puts the rest beside it as `FILE.new` (docs/decisions/0034). Not here: what the templates hold (`templates/`).
"""

import hashlib
import json
import keyword
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, cast

from pierhead.bootstrap.threats import threats
from pierhead.core.errors import Conflict, Invalid
from pierhead.usecases.register_server import RESERVED

TEMPLATES: Final = ("plain", "sql", "http", "spark-like")
RECORD: Final = ".pierhead-template.json"
_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,39}")
_TEXT: Final = re.compile(r"[A-Za-z0-9#@_.][A-Za-z0-9#@_. -]{0,99}")
_GROUP: Final = re.compile(r"[A-Za-z0-9_.-]{1,100}")
_ADDRESS: Final = re.compile(r"(https://[A-Za-z0-9._~:/?#@!&=%+-]{1,500})?")
_NO_RUNBOOK: Final = "# runbook: https://... (what to do when it fails: reviewers ask for it)"
_COMMON: Final = {
    "pyproject.toml": "pyproject.toml.in",
    "fleet.yaml": "fleet.yaml.in",
    "Dockerfile": "Dockerfile.in",
    ".github/workflows/check.yml": "check.yml.in",
    ".gitignore": "gitignore.in",
    "README.md": "README.md.in",
    "tests/conftest.py": "conftest.py.in",
    "requirements.lock": "requirements.lock",
}
_TAKEN: Final = frozenset({"pierhead", "tests", "test"})


@dataclass(frozen=True, slots=True)
class Answers:
    """What a project is made from."""

    name: str
    template: str
    owner: str
    support: str
    group: str
    runbook: str = ""
    """Where whoever is called out finds what to do; empty until somebody has written it."""

    @property
    def module(self) -> str:
        return self.name.replace("-", "_")


@dataclass(frozen=True, slots=True)
class Update:
    """What an update did, as paths in the project: `beside` has FILE.new next to what its author changed."""

    written: tuple[str, ...]
    beside: tuple[str, ...]


def new_project(folder: Path, answers: Answers) -> tuple[str, ...]:
    """Make the folder with every file of the template; their paths.

    Errors: Invalid (`bad-name`, `unknown-template`, `bad-answer`), every fault said first; Conflict (`project-exists`).
    """
    _check(answers)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        hint = "choose another name, or bring this one up to date: pierhead new PATH --update"
        raise Conflict(f"{folder} exists already", hint=hint, code="project-exists")
    made = dict(_made(answers))
    for name, text in made.items():
        _write(folder / name, text)
    made["THREATS.md"] = threats_in(folder, answers)
    _write(folder / "THREATS.md", made["THREATS.md"])
    _keep(folder, answers, made)
    return tuple(sorted(made))


def update_project(folder: Path) -> Update:
    """Bring a project to the template of this version. What its author deleted stays away.

    Errors: Invalid (`no-project`).
    """
    answers, before = _recorded(folder)
    made = dict(_made(answers))
    made["THREATS.md"] = threats_in(folder, answers)
    written, beside = list[str](), list[str]()
    for name, text in sorted(made.items()):
        known, now = before.get(name), _digest_of(folder / name)
        if _digest(text) in {now, known} or (known is not None and now is None):
            continue
        is_theirs = now is not None and now != known
        _write(folder / (f"{name}.new" if is_theirs else name), text)
        (beside if is_theirs else written).append(name)
    _keep(folder, answers, made)
    return Update(tuple(written), tuple(beside))


def threats_in(folder: Path, answers: Answers) -> str:
    """The checklist, from what the project declares now."""
    from pierhead.bootstrap.plugins import own_server  # noqa: PLC0415 - loads the protocol stack

    server = own_server(f"{answers.module}.server:server", folder)
    return threats(server.name, server.manifest())


def _check(answers: Answers) -> None:
    module = answers.module
    if not _NAME.fullmatch(answers.name) or answers.name.endswith("-"):
        hint = "at most 40 small letters, digits and -, beginning with a letter, like lunch-menu"
        raise Invalid(f"{answers.name[:100]!r} is no name of a server", hint=hint, code="bad-name")
    if answers.name in RESERVED or module in _TAKEN or module in sys.stdlib_module_names or keyword.iskeyword(module):
        message = f"{answers.name!r} is the name of something else already"
        raise Invalid(message, hint="choose another one", code="bad-name")
    if answers.template not in TEMPLATES:
        message = f"there is no template {answers.template[:100]!r}"
        raise Invalid(message, hint=f"choose one of {', '.join(TEMPLATES)}", code="unknown-template")
    for what, value, form in (
        ("owner", answers.owner, _GROUP),
        ("support", answers.support, _TEXT),
        ("group", answers.group, _GROUP),
    ):
        if not form.fullmatch(value):
            hint = "plain letters, digits and #@_.- alone"
            raise Invalid(f"{what} {value[:100]!r} cannot stand in the files", hint=hint, code="bad-answer")
    if not _ADDRESS.fullmatch(answers.runbook):
        message = f"runbook {answers.runbook[:100]!r} is no address"
        raise Invalid(message, hint="begin with https://", code="bad-answer")


def _made(answers: Answers) -> Iterator[tuple[str, str]]:
    place = files("pierhead.bootstrap") / "templates"
    values = {
        "name": answers.name,
        "module": answers.module,
        "variable": answers.module.upper(),
        "title": answers.name.replace("-", " ").capitalize(),
        "template": answers.template,
        "owner": answers.owner,
        "support": answers.support,
        "group": answers.group,
        "runbook": f'runbook: "{answers.runbook}"' if answers.runbook else _NO_RUNBOOK,
        "pierhead": version("pierhead"),
        "about": (place / answers.template / "about.txt").read_text("utf-8").strip(),
    }
    for name, source in _COMMON.items():
        yield name, _filled((place / "common" / source).read_text("utf-8"), values)
    own = place / answers.template
    yield f"{answers.module}/__init__.py", f'"""{values["title"]}."""\n'
    yield f"{answers.module}/server.py", _filled((own / "server.py.in").read_text("utf-8"), values)
    yield "tests/test_tools.py", _filled((own / "test_tools.py.in").read_text("utf-8"), values)
    for recording in sorted(own.iterdir(), key=lambda each: each.name):
        if recording.name.endswith(".json"):
            yield f"tests/recordings/{recording.name}", recording.read_text("utf-8")


def _filled(text: str, values: Mapping[str, str]) -> str:
    return re.sub(r"@@(\w+)@@", lambda found: values[found[1]].replace("@@variable@@", values["variable"]), text)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _digest_of(path: Path) -> str | None:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None


def _keep(folder: Path, answers: Answers, made: Mapping[str, str]) -> None:
    record = {
        "template": answers.template,
        "pierhead": version("pierhead"),
        "answers": {name: getattr(answers, name) for name in _ANSWERS},
        "files": {name: _digest(text) for name, text in sorted(made.items())},
    }
    _write(folder / RECORD, json.dumps(record, indent=2) + "\n")


def _recorded(folder: Path) -> tuple[Answers, Mapping[str, str]]:
    file = folder / RECORD
    try:
        read = cast("dict[str, Any]", json.loads(file.read_text("utf-8")))
        said = {"runbook": "", **read["answers"]}  # projects of earlier templates name none
        answers = Answers(template=str(read["template"]), **{name: str(said[name]) for name in _ANSWERS})
        before = {str(name): str(digest) for name, digest in read["files"].items()}
    except FileNotFoundError:
        message = f"{folder} was not made by pierhead new: it has no {RECORD}"
        raise Invalid(message, hint="name the folder of a project", code="no-project") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Invalid(f"cannot read {file}", hint="restore it from version control", code="no-project") from None
    _check(answers)
    return answers, before


_ANSWERS: Final = ("name", "owner", "support", "group", "runbook")
