"""A server's entry of the fleet file becomes its settings, or a fault that tells no value."""

import pytest
from pydantic import BaseModel, ConfigDict

from pierhead.sdk import Misconfigured
from pierhead.sdk.entry import read_entry


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str
    password: int = 0


def test_what_the_platform_reads_of_an_entry_is_not_told_to_the_server() -> None:
    written = {"kind": "sql", "access": {"groups": ["eng"]}, "tools": {}, "password": 7}

    assert read_entry(_Settings, "ledger", written, code="bad") == _Settings(name="ledger", password=7)


def test_each_fault_is_named_by_its_key_and_no_value_is_told() -> None:
    with pytest.raises(Misconfigured) as refused:
        read_entry(_Settings, "ledger", {"password": "hunter-2", "colour": "teal"}, code="bad-ledger-settings")

    assert refused.value.code == "bad-ledger-settings"
    told = str(refused.value)
    assert all(key in told for key in ("password: ", "colour: "))
    assert not any(value in told for value in ("hunter-2", "teal"))
