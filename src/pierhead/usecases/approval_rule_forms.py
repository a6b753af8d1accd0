"""Rules of approval as JSON, as a tool carries them in a revision. Strict, as all of `wire_forms`.

Not here: how they are written in an entry (`bootstrap/declared_approvals`).
"""

from pierhead.core.approval import Approval
from pierhead.core.approval_rule import ApprovalRule
from pierhead.core.condition import parse_condition
from pierhead.core.reach import EVERY, Every
from pierhead.core.rule import Who, parse_who
from pierhead.usecases.wire_members import Members, set_from_form, set_to_form, wrong


def rule_to_form(rule: ApprovalRule) -> dict[str, object]:
    return {
        "place": rule.place,
        "approval": str(rule.approval),
        "lowers": rule.lowers,
        "tools": set_to_form(rule.tools),
        "who": "every" if isinstance(rule.who, Every) else str(rule.who),
        "surfaces": set_to_form(rule.surfaces),
        "environments": set_to_form(rule.environments),
        "channels": set_to_form(rule.channels),
        "when": [str(each) for each in rule.when],
    }


def rule_from_form(form: object) -> ApprovalRule:
    """Every member is demanded: one that went missing could lower more than was signed."""
    members = Members(form, "approval rule")
    rule = ApprovalRule(
        place=members.take("place", int),
        approval=members.choose("approval", Approval),
        lowers=members.take("lowers", bool),
        tools=set_from_form(members.take_any("tools")),
        who=_who(members.take("who", str)),
        surfaces=set_from_form(members.take_any("surfaces")),
        environments=set_from_form(members.take_any("environments")),
        channels=set_from_form(members.take_any("channels")),
        when=members.each("when", lambda each: parse_condition(str(each))),
    )
    members.done()
    if rule.lowers and rule.when:
        raise wrong("approval rule", "what lowers hangs on no arguments")
    return rule


def _who(text: str) -> Who | Every:
    return EVERY if text == "every" else parse_who(text)
