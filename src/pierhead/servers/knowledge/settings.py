"""A knowledge server's settings: what the fleet file says of it, parsed once into frozen values."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from pierhead.sdk import Caller
from pierhead.sdk.entry import read_entry
from pierhead.servers.knowledge.files import is_checkout

EVERYONE: Final = "everyone"

Holds = Literal["documentation", "runbooks", "incidents"]
"""What a source is for: incidents are past ones, with the analyses of their causes."""


class SourceSettings(BaseModel):
    """One folder of Markdown, HTML, PDF and plain text; a git checkout tells besides who edited what."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    folder: Path
    holds: Holds = "documentation"
    readers: Annotated[tuple[str, ...], Field(min_length=1)]
    """Groups that may read it in the place it comes from, or `everyone`: whoever reaches this server."""
    url: str = ""
    """Where people read a document of it: `https://wiki.example/{path}`."""
    owner: str = ""
    edits: Literal["none", "branch", "folder"] = "none"
    """Where proposed edits go: nowhere, a branch of the checkout, or patches in `edits_folder`."""
    edits_folder: Path | None = None

    @field_validator("url")
    @classmethod
    def _web_address(cls, url: str) -> str:
        if url and (not url.startswith(("https://", "http://")) or "{path}" not in url):
            raise ValueError("write it as https://host/{path}")
        return url

    def is_open_to(self, caller: Caller) -> bool:
        """Whether the caller may read this source: one group of theirs is enough."""
        return EVERYONE in self.readers or not caller.groups.isdisjoint(self.readers)


class KnowledgeSettings(BaseModel):
    """`ownership` is a file that says whose things are."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    owner: str
    support: str
    description: str = ""
    sources: Annotated[dict[str, SourceSettings], Field(min_length=1)]
    ownership: Path | None = None
    services: tuple[Annotated[str, Field(pattern=r"^spiffe://[A-Za-z0-9_.@:/-]{1,240}$")], ...] = ()
    """Programs that may read without a person: what is open to `everyone`."""
    secret_names: Annotated[tuple[str, ...], Field(max_length=50)] = ()
    """Words behind which secrets stand in these documents, besides those that every server knows."""
    refresh_s: Annotated[float, Field(ge=1, le=86_400)] = 60.0

    def anyone(self) -> str:
        """Whoever layer 1 lets in, and the programs that may read, as a policy says it."""
        return " or ".join([EVERYONE, *(f"workload:{name}" for name in self.services)])

    @classmethod
    def parse(cls, name: str, written: Mapping[str, object]) -> "KnowledgeSettings":
        """Read a server's entry of the fleet file. Errors: Misconfigured, naming each fault."""
        return read_entry(cls, name, written, code="bad-knowledge-settings", fault=cls.fault)

    def fault(self) -> str:
        """What is wrong with the folders that are named."""
        for source, its in self.sources.items():
            if not its.folder.is_dir():
                return f"sources.{source}.folder: there is no folder {its.folder.name}"
            if its.edits == "branch" and not is_checkout(its.folder):
                return f"sources.{source}.edits: {its.folder.name} is no git checkout"
            if (its.edits == "folder") != (its.edits_folder is not None and its.edits_folder.is_dir()):
                return f"sources.{source}.edits_folder: edits of `folder` need a folder that is there, others none"
        return ""
