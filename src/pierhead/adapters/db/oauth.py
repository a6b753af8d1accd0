"""Clients, codes and refresh tokens. Spending is one conditional UPDATE: two at once never both come first.

Fills `ports_sign_in.SignInStore`. Holds digests, never a secret. Not here: the rules (`usecases/grant_tokens`).
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import orjson
from sqlalchemy import delete, exists, select, update

from pierhead.adapters.db.engine import Database
from pierhead.adapters.db.schema import CLIENTS, CODES, REFRESH_TOKENS, REVOKED_FAMILIES
from pierhead.usecases.ports_sign_in import Client, Code, RefreshToken, SpentCode, SpentRefreshToken

_KEPT_S: Final = 24 * 3600
"""How long expired codes and tokens stay, so that a late second use is still seen as one."""


@dataclass(frozen=True, slots=True)
class DatabaseSignIn:
    """The store of the built-in sign-in."""

    database: Database

    async def add_client(self, client: Client) -> None:
        row = {**asdict(client), "redirect_uris": orjson.dumps(client.redirect_uris).decode()}
        async with self.database.writing() as connection:
            await connection.execute(CLIENTS.insert().values(row))

    async def client(self, client_id: str) -> Client | None:
        async with self.database.reading() as connection:
            row = (await connection.execute(select(CLIENTS).where(CLIENTS.c.id == client_id))).mappings().one_or_none()
        if row is None:
            return None
        members: dict[str, Any] = {**row, "redirect_uris": tuple(orjson.loads(row["redirect_uris"]))}
        return Client(**members)

    async def drop_idle_clients(self, registered_before: float) -> int:
        statement = delete(CLIENTS).where(
            CLIENTS.c.registered_at < registered_before,
            ~exists().where(CODES.c.client_id == CLIENTS.c.id),
            ~exists().where(REFRESH_TOKENS.c.client_id == CLIENTS.c.id),
        )
        async with self.database.writing() as connection:
            return (await connection.execute(statement)).rowcount

    async def add_code(self, code: Code) -> None:
        async with self.database.writing() as connection:
            await connection.execute(CODES.insert().values({**asdict(code), "is_spent": False}))

    async def spend_code(self, digest: str, now: float) -> SpentCode | None:
        spend = update(CODES).where(CODES.c.digest == digest, ~CODES.c.is_spent).values(is_spent=True)
        async with self.database.writing() as connection:
            is_first = (await connection.execute(spend)).rowcount == 1
            found = select(CODES).where(CODES.c.digest == digest)
            row = (await connection.execute(found)).mappings().one_or_none()
            await connection.execute(delete(CODES).where(CODES.c.expires_at < now - _KEPT_S, CODES.c.digest != digest))
        if row is None:
            return None
        return SpentCode(Code(**{name: row[name] for name in row if name != "is_spent"}), again=not is_first)

    async def add_refresh_token(self, token: RefreshToken) -> None:
        async with self.database.writing() as connection:
            await connection.execute(REFRESH_TOKENS.insert().values({**asdict(token), "spent_at": None}))

    async def spend_refresh_token(self, digest: str, now: float) -> SpentRefreshToken | None:
        tokens = REFRESH_TOKENS
        spend = update(tokens).where(tokens.c.digest == digest, tokens.c.spent_at.is_(None)).values(spent_at=now)
        old = delete(tokens).where(tokens.c.expires_at < now - _KEPT_S, tokens.c.digest != digest)
        async with self.database.writing() as connection:
            await connection.execute(spend)
            found = select(tokens).where(tokens.c.digest == digest)
            row = (await connection.execute(found)).mappings().one_or_none()
            await connection.execute(old)
            if row is None:
                return None
            revoked = select(exists().where(REVOKED_FAMILIES.c.family == row["family"]))
            is_revoked = (await connection.execute(revoked)).scalar_one()
        token = RefreshToken(**{name: row[name] for name in row if name != "spent_at"})
        return SpentRefreshToken(token, row["spent_at"], is_revoked=is_revoked)

    async def families_of(self, person: str) -> Sequence[str]:
        tokens = REFRESH_TOKENS
        ended = exists().where(REVOKED_FAMILIES.c.family == tokens.c.family)
        standing = select(tokens.c.family).where(tokens.c.person == person, ~ended).distinct().order_by("family")
        async with self.database.writing() as connection:
            await connection.execute(delete(CODES).where(CODES.c.person == person))
            return (await connection.execute(standing)).scalars().all()

    async def revoke_family(self, family: str, now: float) -> bool:
        row = {"family": family, "revoked_at": now}
        async with self.database.writing() as connection:
            return (await connection.execute(self.database.insert_new(REVOKED_FAMILIES, row))).rowcount == 1
