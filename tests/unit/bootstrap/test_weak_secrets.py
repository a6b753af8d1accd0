"""Secrets that can be guessed do not start."""

import pytest

from pierhead.bootstrap.weak_secrets import require_strong
from pierhead.core.errors import Misconfigured

WEAK = {
    "short": "s3cret!x7Qp2Lm9",
    "one key": "aaaaaaaabbbbbbbb",
    "an example": "changeme-changeme",
    "a padded example": "your-client-secret-1234",
    "capitals": "Password_Password_2026",
    "numbers alone": "1234567890123456789",
}


@pytest.mark.parametrize("secret", WEAK.values(), ids=WEAK.keys())
def test_a_secret_that_can_be_guessed_does_not_start(secret: str) -> None:
    with pytest.raises(Misconfigured, match=r"sign_in\.client_secret is a secret that can be guessed") as refused:
        require_strong(secret, "sign_in.client_secret")
    assert refused.value.code == "weak-secret"
    assert secret not in f"{refused.value.message} {refused.value.hint}"


@pytest.mark.parametrize(
    "secret", ["q0Zt3mV8xJcW1sLb", "correct horse battery staple", "0f1e2d3c4b5a69788796a5b4c3d2e1f0"]
)
def test_a_secret_that_may_be_one_is_taken(secret: str) -> None:
    require_strong(secret, "sign_in.client_secret")
