from __future__ import annotations

import pytest

from core.checked_json import Findings, Node, as_text, name_type


def test_a_node_counts_null_as_absent() -> None:
    findings = Findings()
    node = Node({"a": None, "b": "x"}, "top", findings)
    assert "a" not in node
    assert "b" in node
    assert node.text("a") == ""
    assert node.amount("a") is None
    assert node.flag("a") is False
    assert node.list("a", as_text, "text") == ()
    assert list(node.node("a").texts()) == []
    assert findings.problems == []


def test_empty_texts_are_passed_over() -> None:
    assert list(Node({"a": " ", "b": " x "}, "", Findings()).texts()) == [("b", "x")]


def test_a_node_warns_at_its_path() -> None:
    findings = Findings()
    Node({}, "top", findings).warn("key", "looks odd")
    assert findings.warnings == ["top.key: looks odd"]


@pytest.mark.parametrize(
    ("value", "name"),
    [(True, "true or false"), (1, "a number"), (0.5, "a number"), ("", "text"), ([], "a list"), ({}, "an object")],
)
def test_types_are_named_as_people_say_them(value: object, name: str) -> None:
    assert name_type(value) == name
    assert name_type(None) == "null"
