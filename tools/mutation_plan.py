"""What mutation runs try: the modules that decide, the tests that should mind, and the changes that change nothing."""

from collections.abc import Mapping
from typing import Final

_UNIT: Final = "tests/unit/usecases"
_RULES: Final = (
    f"{_UNIT}/test_match_rules.py",
    f"{_UNIT}/test_company_policies.py",
    f"{_UNIT}/test_withheld_tools.py",
    "tests/unit/adapters/test_cedar.py",
)
_PUBLISH: Final = (
    f"{_UNIT}/test_policy_changes.py",
    f"{_UNIT}/test_serve_policy.py",
    f"{_UNIT}/test_withheld_tools.py",
    f"{_UNIT}/test_server_life.py",
    f"{_UNIT}/test_trust_fleet.py",
    f"{_UNIT}/test_sign_off.py",
    f"{_UNIT}/test_published_policy.py",
    f"{_UNIT}/test_enrol_server.py",
    f"{_UNIT}/test_told_changes.py",
)
_TOKENS: Final = (
    "tests/unit/adapters/test_oidc_keys.py",
    "tests/attacks/test_tokens.py",
    "tests/attacks/test_company_tokens.py",
    "tests/attacks/test_token_ends.py",
)
_PROVIDER: Final = (
    "tests/unit/adapters/test_company_provider.py",
    "tests/unit/adapters/test_provider_documents.py",
)
_CEDAR: Final = ("tests/unit/adapters/test_cedar.py",)

MODULES: Final[Mapping[str, tuple[str, ...]]] = {
    # policy
    "pierhead.core.policy": ("tests/unit/core/test_policy.py", f"{_UNIT}/test_match_rules.py"),
    "pierhead.core.rule": ("tests/unit/core/test_rule.py",),
    "pierhead.core.reach": ("tests/unit/core/test_reach.py", "tests/policy/test_truth_table.py"),
    "pierhead.core.bounds": ("tests/unit/core/test_condition.py",),
    "pierhead.core.condition": ("tests/unit/core/test_condition.py",),
    "pierhead.usecases.match_rules": _RULES,
    "pierhead.usecases.compose_policy": _PUBLISH,
    "pierhead.usecases.compile_policy": ("tests/unit/adapters/test_cedar_equivalence.py",),
    "pierhead.usecases.discover": (f"{_UNIT}/test_discover.py", f"{_UNIT}/test_company_policies.py"),
    "pierhead.usecases.restrict_access": (f"{_UNIT}/test_sign_off.py",),
    "pierhead.adapters.cedar": _CEDAR,
    "pierhead.adapters.cedar.reading": _CEDAR,
    "pierhead.adapters.cedar.schema": _CEDAR,
    # tokens
    "pierhead.adapters.assertion": ("tests/attacks/test_assertions.py", "tests/attacks/test_tokens.py"),
    "pierhead.adapters.oidc.documents": _PROVIDER,
    "pierhead.adapters.oidc.keys": _TOKENS,
    "pierhead.adapters.oidc.provider": _PROVIDER,
    "pierhead.adapters.oidc.reading": _TOKENS,
    "pierhead.adapters.oidc.tokens": _TOKENS,
    "pierhead.core.claims": ("tests/unit/core/test_claims.py",),
    "pierhead.core.token_parts": ("tests/unit/core/test_token_parts.py",),
    "pierhead.core.federation": ("tests/unit/core/test_federation.py",),
    # snapshots
    "pierhead.core.snapshot": (
        "tests/unit/core/test_snapshot.py",
        f"{_UNIT}/test_company_policies.py",
        f"{_UNIT}/test_told_changes.py",
    ),
    "pierhead.usecases.publish_policy": _PUBLISH,
    "pierhead.usecases.follow_policy": (f"{_UNIT}/test_policy_changes.py", f"{_UNIT}/test_told_changes.py"),
    "pierhead.usecases.serve_policy": (
        f"{_UNIT}/test_serve_policy.py",
        f"{_UNIT}/test_told_changes.py",
        f"{_UNIT}/test_policy_changes.py",
        f"{_UNIT}/test_published_policy.py",
    ),
    "pierhead.usecases.revision_text": (
        f"{_UNIT}/test_told_changes.py",
        f"{_UNIT}/test_policy_changes.py",
        f"{_UNIT}/test_company_policies.py",
        f"{_UNIT}/test_published_policy.py",
    ),
    "pierhead.adapters.snapshot_file": ("tests/integration/test_snapshot_file.py", f"{_UNIT}/test_policy_changes.py"),
    "pierhead.adapters.snapshot_signature": ("tests/attacks/test_snapshot_signature.py",),
}

_UNNOTICED: Final = "only time is lost: what is left out, or asked besides, answers the same"
_AGAIN: Final = "all servers are composed anew instead of those that were named: the same revision, later"
_COUNTED: Final = "the parts are counted, so no tag is needed to tell them apart; it is there for the reader"
EQUIVALENT: Final[Mapping[str, Mapping[str, str]]] = {
    "pierhead.core.policy": {
        "_identity: yield 'person': left out": _COUNTED,
        "_identity: yield 'workload': left out": _COUNTED,
    },
    "pierhead.usecases.publish_policy": {
        "publish_policy: if servers is None or made.revision is None: always": _AGAIN,
    },
    "pierhead.adapters.cedar": {
        "CedarPolicies._slice: if _speaks(each, question, server): always": _UNNOTICED,
        "CedarPolicies._slice: if chosen: always": _UNNOTICED,
        "_speaks: policy.server in {None, server} and policy.question in {None, question}: and for or": _UNNOTICED,
    },
    "pierhead.adapters.cedar.schema": {
        "_principal: if program is not None: always": "who is asked about is a party of the caller, so it is there",
    },
    "pierhead.adapters.oidc.reading": {
        "judge_times: 0: one more": "a token without nbf is valid from 1970, a second sooner or later",
    },
    "pierhead.adapters.oidc.tokens": {
        "Tokens._verify: if claims.get('iss') != issuer.name: never": "the same bytes were read to choose the issuer",
        "Tokens._verify: refuse('wrong-issuer'): left out": "as above",
    },
}
"""By module: the change, and why no test could notice it."""
