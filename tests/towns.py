"""The people of the two stories told end to end, beside a platform's one server of its own."""

_FLEET = """
people:
  alice: {groups: [data-eng]}
  bob: {groups: [%s]}
  carol: {groups: [security-reviewers]}
  dave: {groups: [legal-reviewers]}
  erin: {groups: [genai-reviewers]}
  frank: {groups: [platform-admin]}
servers:
  time:
    kind: stdio
    command: [mcp-server-time, --local-timezone, UTC]
    owner: platform
    support: "#platform-help"
    access: everyone
    tools: {get_current_time: {policy: everyone, effect: read, minutes_saved: 1}}
"""


def fleet_of(team: str) -> str:
    """The fleet file of a town where bob is of the team that brings a server."""
    return _FLEET % team
