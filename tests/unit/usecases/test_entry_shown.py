"""What is shown of an entry: everything but secrets."""

from pierhead.usecases.entry_shown import masked, shown


def test_no_secret_of_a_fleet_file_is_shown() -> None:
    entry = {
        "kind": "sql",
        "url": "postgresql://reader:hunter2@db.corp.example/shop",
        "replicas": ["postgresql://reader:hunter2@db2/shop", "sqlite:///shop.db"],
        "environment": {"API": "hunter2"},
        "roles": {"analyst": {"tables": ["orders"], "login": {"user": "reader", "password": "hunter2"}}},
        "headers": {"Authorization": {"env": "PIERHEAD_GUEST__SHOP__AUTH"}, "X-Api-Key": "hunter2", "token": "hunter2"},
        "api_key": "hunter2",
        "pii": False,
    }
    masked = shown(entry)
    assert "hunter2" not in str(masked)
    assert masked["url"] == "postgresql://reader:***@db.corp.example/shop"
    assert masked["roles"]["analyst"]["tables"] == ["orders"]
    assert masked["headers"]["Authorization"] == {"env": "PIERHEAD_GUEST__SHOP__AUTH"}
    assert masked["pii"] is False


def test_what_holds_no_secret_is_shown_as_it_is() -> None:
    entry = {"kind": "http", "url": "https://maps.corp.example/mcp", "tools": {"find": {"policy": "everyone"}}}
    assert shown(entry) == entry


def test_a_mask_that_is_sent_back_is_found_wherever_it_stands() -> None:
    hidden = {
        "kind": "sql",
        "url": "postgresql://reader:***@db.corp.example/shop",
        "replicas": ["postgresql://reader:***@db2/shop"],
        "environment": {"API": "***"},
        "roles": {"analyst": {"login": {"password": "***"}}},
        "api_key": "***",
        "description": "***",
        "pii": False,
    }
    assert masked(hidden) == ("api_key", "environment", "replicas", "roles", "url")
    assert masked({"environment": {"API": "value"}, "api_key": "value", "roles": {"analyst": {}}}) == ()
