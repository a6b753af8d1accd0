"""Foreign paths and addresses, and links."""

from pathlib import Path

import pytest
from tools.findings import Source
from tools.texts import anchors, check_links, check_mentions, check_texts

# Put together here, so that this file does not hold what it looks for.
MACHINE_PATHS = ["/" + "work/main", "/" + "root/.cache", "/" + "home/ann/x", "/" + "Users/ann/x", "/" + "tmp/lab"]
ADDRESSES = [
    "https://registry." + "npmjs.org/x",
    "https://files." + "pythonhosted.org/x",
    "--index" + "-url https://example.com",
    '"resolved"' + ': "https://example.com"',
]


def _texts(text: str) -> list[str]:
    return [finding.message for finding in check_texts([Source("a.txt", text)])]


@pytest.mark.parametrize("path", MACHINE_PATHS)
def test_a_path_of_one_machine_is_found(path: str) -> None:
    assert len(_texts(f"see {path}")) == 1


@pytest.mark.parametrize("text", ["/workloads/x", "https://x.example/{}/y", "a/{}/b", "~/{}/x"])
def test_what_only_looks_like_a_path_of_one_machine_passes(text: str) -> None:
    assert [_texts(text.format(name)) for name in ("work", "root")] == [[], []]


@pytest.mark.parametrize("address", ADDRESSES)
def test_an_address_of_a_package_index_is_found(address: str) -> None:
    assert len(_texts(address)) == 1


def _links(tmp_path: Path, text: str) -> list[str]:
    (tmp_path / "other.md").write_text("# Some `code` heading, here\n", encoding="utf-8")
    return [finding.message for finding in check_links([Source("page.md", text)], tmp_path)]


def test_a_link_to_a_file_and_a_heading_resolves(tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text("# Own\n", encoding="utf-8")
    text = "[a](other.md) [b](other.md#some-code-heading-here) [c](#own) [d](https://example.com) ![e](other.md)"
    assert _links(tmp_path, text) == []


def test_a_link_that_leads_nowhere_is_found(tmp_path: Path) -> None:
    assert _links(tmp_path, "[a](gone.md)") == ["link leads nowhere: gone.md"]
    assert _links(tmp_path, "[a](other.md#gone)") == ["no such heading: other.md#gone"]


def test_links_in_fenced_code_are_not_links(tmp_path: Path) -> None:
    assert _links(tmp_path, "```md\n[a](gone.md)\n```\n") == []
    assert anchors("```\n# no heading\n```\n## A heading\n") == {"a-heading"}


def test_a_page_that_the_code_names_must_be_there(tmp_path: Path) -> None:
    folder = "docs" + "/decisions"
    (tmp_path / folder).mkdir(parents=True)
    (tmp_path / folder / "0001-first.md").touch()
    text = f"see {folder}/0001-first.md, {folder}/0001 and {folder}/0002 and {folder}/gone.md"
    found = [finding.message for finding in check_mentions([Source("a.py", text)], tmp_path)]
    assert found == [f"names a page that is not there: {folder}/{name}" for name in ("0002", "gone.md")]
