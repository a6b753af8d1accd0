"""Edits that somebody proposes: a branch in the source's checkout, or a patch in a folder. Nothing is merged here.

The same patch of the same document is the same change, whoever proposes it and however often. The work tree of a
checkout is not touched: the branch is made beside it. Calls block. Not here: who may propose (the tool's declaration),
and who decides, which is whoever reviews that repository.
"""

import hashlib
import json
import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pierhead.sdk import Forbidden, Invalid, ToolFailed
from pierhead.servers.knowledge.files import git
from pierhead.servers.knowledge.settings import SourceSettings

EDITABLE: Final = frozenset({".md", ".markdown", ".html", ".htm", ".txt", ".rst", ".adoc"})
_DIGITS: Final = 12
_HUNK: Final = re.compile(r"^@@ -\d+(?:,\d+)? \+\d+(?:,\d+)? @@")
_UNSAFE: Final = re.compile(r"[^\w .@+-]")


@dataclass(frozen=True, slots=True)
class Change:
    """A proposed edit. `place` is the branch, or the patch's file; `base` the commit that it changes."""

    id: str
    place: str
    base: str
    is_new: bool


@dataclass(frozen=True, slots=True)
class Proposed:
    """What somebody wants to change, and why."""

    doc_id: str
    path: str
    patch: str
    reason: str
    by: str


def propose(source: SourceSettings, proposed: Proposed) -> Change:
    """Open the change for review.

    Errors: Forbidden (`no-edits`), Invalid (`bad-patch`), ToolFailed when the repository or the folder cannot be used.
    """
    if source.edits == "none" or Path(proposed.path).suffix.lower() not in EDITABLE:
        message = f"{proposed.doc_id} takes no edits from here"
        raise Forbidden(message, hint="tell its owner what to change", code="no-edits")
    hunks = _hunks(proposed.patch)
    digest = hashlib.sha256(f"{proposed.doc_id}\0{hunks}".encode()).hexdigest()
    try:
        if source.edits == "branch":
            return _branch(source.folder, f"edit-{digest[:_DIGITS]}", proposed, hunks)
        return _file(source, f"edit-{digest[:_DIGITS]}", proposed, hunks)
    except OSError as failed:
        raise ToolFailed("the edit could not be kept", hint="tell the owner of the source") from failed


def _hunks(patch: str) -> str:
    """The patch from its first hunk on: which file it changes is not for the patch to say. Errors: Invalid."""
    lines = patch.replace("\r\n", "\n").split("\n")
    start = next((place for place, line in enumerate(lines) if _HUNK.match(line)), None)
    if start is None:
        raise _bad("it has no hunk (@@ -1,3 +1,3 @@)")
    kept = lines[start:]
    while kept and not kept[-1]:
        kept.pop()
    if wrong := next(
        (line for line in kept if line[:1] not in {" ", "+", "-", "\\", ""} and not _HUNK.match(line)), None
    ):
        raise _bad(f"a line of it is no line of a unified diff: {wrong[:60]!r}")
    return "\n".join(line or " " for line in kept) + "\n"


def _branch(folder: Path, change: str, proposed: Proposed, hunks: str) -> Change:
    branch = f"pierhead/{change}"
    reference = f"refs/heads/{branch}"
    if git(folder, "for-each-ref", "--format=%(objectname)", reference).strip():
        base = git(folder, "rev-parse", f"{reference}~1").strip()
        return Change(change, branch, base, is_new=False)
    base = git(folder, "rev-parse", "HEAD").strip()
    path = git(folder, "rev-parse", "--show-prefix").strip() + proposed.path
    with tempfile.TemporaryDirectory() as scratch:
        index = {"GIT_INDEX_FILE": str(Path(scratch, "index"))}
        git(folder, "read-tree", base, more=index)
        _applied(folder, path, hunks, ("--cached",), index)
        tree = git(folder, "write-tree", more=index).strip()
    changed = git(folder, "diff-tree", "-r", "--name-status", "-z", base, tree).split("\0")[:-1]
    if changed != ["M", path]:
        raise _bad("it changes nothing, or more than this document")
    commit = git(folder, "commit-tree", tree, "-p", base, more=_by(proposed.by), text=_message(proposed)).strip()
    git(folder, "update-ref", reference, commit, "0" * len(commit))
    return Change(change, branch, base, is_new=True)


def _file(source: SourceSettings, change: str, proposed: Proposed, hunks: str) -> Change:
    folder = source.edits_folder
    if folder is None:  # pragma: no cover - the settings hold a folder then
        raise FileNotFoundError("no folder for edits")
    patch = folder / f"{change}.patch"
    if patch.exists():
        return Change(change, patch.name, "", is_new=False)
    _applied(source.folder, proposed.path, hunks, ("--check",), {"GIT_CEILING_DIRECTORIES": str(source.folder.parent)})
    told = {"doc_id": proposed.doc_id, "path": proposed.path, "by": proposed.by, "reason": proposed.reason}
    (folder / f"{change}.json").write_text(json.dumps(told, indent=2) + "\n")
    whole = _headed(proposed.path, hunks)
    partial = folder / f".{change}.{os.getpid()}"
    partial.write_text(whole)
    partial.replace(patch)
    return Change(change, patch.name, "", is_new=True)


def _applied(folder: Path, path: str, hunks: str, how: tuple[str, ...], more: Mapping[str, str]) -> None:
    """Errors: Invalid, for a patch that does not fit the document as it is now."""
    root = git(folder, "rev-parse", "--show-toplevel").strip() if "--cached" in how else str(folder)
    try:
        git(Path(root), "apply", *how, "--recount", "--whitespace=nowarn", more=more, text=_headed(path, hunks))
    except OSError:
        raise _bad("it does not fit the document as it is now") from None


def _headed(path: str, hunks: str) -> str:
    return (
        f"--- {json.dumps('a/' + path, ensure_ascii=False)}\n+++ {json.dumps('b/' + path, ensure_ascii=False)}\n{hunks}"
    )


def _by(person: str) -> Mapping[str, str]:
    name = _UNSAFE.sub("_", person)[:100] or "unknown"
    return {
        "GIT_AUTHOR_NAME": name,
        "GIT_AUTHOR_EMAIL": "",
        "GIT_COMMITTER_NAME": "Pierhead",
        "GIT_COMMITTER_EMAIL": "",
    }


def _message(proposed: Proposed) -> str:
    reason = " ".join(proposed.reason.split())
    return (
        f"Edit {proposed.path}\n\n{reason or 'No reason was given.'}\n\nProposed by {_UNSAFE.sub('_', proposed.by)}\n"
    )


def _bad(why: str) -> Invalid:
    hint = "send a unified diff of this one document, against the text that knowledge_get shows"
    return Invalid(f"this patch cannot be used: {why}", hint=hint, code="bad-patch")
