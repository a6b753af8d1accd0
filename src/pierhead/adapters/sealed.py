"""Small secrets of others, sealed under a key of this installation: AES-256-GCM, bound to what each one is about.

What is about one person opens for nobody else, and a sealed text that was changed opens not at all. Fills
`ports_sign_in.Seal`. Not here: backups, which are sealed under a passphrase (`archive`).
"""

import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, field
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE: Final = 12


@dataclass(frozen=True, slots=True)
class KeySeal:
    """Seals and opens with one key of 32 bytes."""

    key: bytes = field(repr=False)

    def closed(self, secret: str, about: str) -> str:
        nonce = secrets.token_bytes(_NONCE)
        return urlsafe_b64encode(nonce + AESGCM(self.key).encrypt(nonce, secret.encode(), about.encode())).decode()

    def opened(self, sealed: str, about: str) -> str | None:
        try:
            whole = urlsafe_b64decode(sealed)
            return AESGCM(self.key).decrypt(whole[:_NONCE], whole[_NONCE:], about.encode()).decode()
        except (InvalidTag, ValueError):
            return None
