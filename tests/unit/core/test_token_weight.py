"""How heavy a definition is: the same estimate on pages and in the shell."""

from pierhead.core.token_weight import token_weight


def test_the_weight_is_bytes_of_compact_json_by_four_rounded_up() -> None:
    text = '{"name":"a","description":"b","input_schema":{"type":"object"},"output_schema":{}}'

    assert token_weight("a", "b", ({"type": "object"}, {})) == -(-len(text) // 4)


def test_other_scripts_weigh_by_their_bytes_and_no_text_breaks_it() -> None:
    plain = token_weight("a", "x" * 40, ({}, {}))

    assert token_weight("a", "ж" * 40, ({}, {})) == plain + 10
    assert token_weight("a", "\ud800", ({}, {})) > 0
