"""The platform's own database: SQLite and PostgreSQL by the same code, a module per noun.

Only the registry opens it. Below: the ports `ports_approvals`, `ports_plans`, `ports_registry`, `ports_records`,
`ports_sign_in`. Not here: the databases that servers govern.
"""

from pierhead.adapters.db.approvals import DatabaseApprovals, expire_for_ever
from pierhead.adapters.db.browsers import DatabaseBrowsers
from pierhead.adapters.db.calls import DatabaseRecords
from pierhead.adapters.db.catalogue import DatabaseCatalogue
from pierhead.adapters.db.consents import DatabaseConsents
from pierhead.adapters.db.decision_news import DatabaseDecisionNews
from pierhead.adapters.db.duties import DatabaseAbsences, DatabaseChoices
from pierhead.adapters.db.engine import Database, open_database, pending_of, reach_database, upgrade
from pierhead.adapters.db.facts import DatabaseAudit, DatabaseFacts
from pierhead.adapters.db.health import DatabaseHealths
from pierhead.adapters.db.inbox_news import DatabaseInboxNews
from pierhead.adapters.db.notices import DatabaseNotices
from pierhead.adapters.db.oauth import DatabaseSignIn
from pierhead.adapters.db.people import DatabasePeople, DatabaseWithdrawals
from pierhead.adapters.db.plans import DatabasePlans
from pierhead.adapters.db.policy import DatabasePolicies
from pierhead.adapters.db.servers import DatabaseManifests, DatabaseServerKeys, DatabaseStates
from pierhead.adapters.db.standings import DatabaseStandings

__all__ = [
    "Database",
    "DatabaseAbsences",
    "DatabaseApprovals",
    "DatabaseAudit",
    "DatabaseBrowsers",
    "DatabaseCatalogue",
    "DatabaseChoices",
    "DatabaseConsents",
    "DatabaseDecisionNews",
    "DatabaseFacts",
    "DatabaseHealths",
    "DatabaseInboxNews",
    "DatabaseManifests",
    "DatabaseNotices",
    "DatabasePeople",
    "DatabasePlans",
    "DatabasePolicies",
    "DatabaseRecords",
    "DatabaseServerKeys",
    "DatabaseSignIn",
    "DatabaseStandings",
    "DatabaseStates",
    "DatabaseWithdrawals",
    "expire_for_ever",
    "open_database",
    "pending_of",
    "reach_database",
    "upgrade",
]
