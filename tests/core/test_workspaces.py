from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from core.errors import Unknown
from core.message import Chat, ChatKind, Message, Person
from core.workspaces import Listed, Role, Whitelist, Workspace, WorkspaceConfig, bare_numbers, canonical_key

ROOT = Path("/srv/valor/workspaces")
PSY = Workspace("PsyOPTIMAL", Path("/srv/psy"), aliases=("psy",))
PSY_DEV = Workspace("PsyOPTIMAL Dev", Path("/srv/psy-dev"))
FLEX = Workspace("FlexTrip", Path("/srv/flex"), aliases=("flex", "travel"))
CONFIG = WorkspaceConfig(
    ROOT,
    workspaces=(PSY, PSY_DEV, FLEX),
    whitelist=Whitelist(
        (
            Listed("anna", directory=FLEX.directory),
            Listed("bela"),
            Listed(id=7, directory=PSY.directory),
            Listed("carl", directory=Path("/srv/nobody")),
        ),
        default_directory=PSY_DEV.directory,
    ),
    groups={"-1005000000001": "PsyOPTIMAL", "-42": "FlexTrip", "77": "PsyOPTIMAL Dev"},
    topics={"-1005000000001/3": "FlexTrip"},
    narrowed=frozenset({"-99"}),
)


def message_in(kind: ChatKind, key: str, sender: Person | None = None) -> Message:
    return Message(Chat("account:1", key), 1, kind, sender or Person(5), datetime(2026, 1, 1, tzinfo=UTC), "hello")


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("PsyOPTIMAL", PSY),
        ("psyoptimal", PSY),
        ("psy", PSY),
        ("PSYOPTIMAL D", PSY_DEV),
        (" flex ", FLEX),
        ("fl", FLEX),
        ("TRAVEL", FLEX),
    ],
)
def test_w2_names_aliases_and_unique_prefixes_in_any_case(name: str, found: Workspace) -> None:
    assert CONFIG.resolve(name) is found


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("ps", "'ps' could be PsyOPTIMAL, PsyOPTIMAL Dev."),
        ("mars", "There is no workspace 'mars'; known are FlexTrip, PsyOPTIMAL, PsyOPTIMAL Dev."),
        (" ", "There is no workspace ' '; known are FlexTrip, PsyOPTIMAL, PsyOPTIMAL Dev."),
    ],
)
def test_w2_ambiguous_and_unknown_list_the_choices(name: str, sentence: str) -> None:
    with pytest.raises(Unknown) as caught:
        CONFIG.resolve(name)
    assert str(caught.value) == sentence


def test_w2_no_configuration_knows_no_name() -> None:
    with pytest.raises(Unknown, match="known are none"):
        WorkspaceConfig(ROOT).resolve("psy")


@pytest.mark.parametrize(
    ("key", "found"),
    [
        ("-1005000000001", PSY),
        ("-1005000000001/3", FLEX),
        ("-1005000000001/4", PSY),
        ("-42", FLEX),
        ("-77", PSY_DEV),
        ("-10077", PSY_DEV),
        ("-1000000000077", PSY_DEV),
        ("-10042", None),
        ("-1", None),
    ],
)
def test_w3_a_group_reaches_its_own_workspace_only(key: str, found: Workspace | None) -> None:
    assert CONFIG.workspace_of(message_in(ChatKind.GROUP, key)) == found


@pytest.mark.parametrize(
    ("sender", "name"),
    [
        (Person(1, "Anna"), "FlexTrip"),
        (Person(2, "bela"), "PsyOPTIMAL Dev"),
        (Person(7), "PsyOPTIMAL"),
        (Person(7, "anna"), "PsyOPTIMAL"),
        (Person(9, "carl"), "private-9"),
        (Person(77), None),
    ],
)
def test_w3_a_dm_has_the_workspace_of_its_entrys_directory(sender: Person, name: str | None) -> None:
    found = CONFIG.workspace_of(message_in(ChatKind.DM, str(sender.id), sender))
    assert (found.name if found else None) == name


def test_w3_without_directories_a_dm_is_private() -> None:
    config = replace(CONFIG, whitelist=Whitelist((Listed("anna"),)))
    found = config.workspace_of(message_in(ChatKind.DM, "1", Person(1, "anna")))
    assert found == config.named("private-1")
    assert found is not None
    assert (found.directory, found.is_private) == (ROOT / "1", True)


def test_w3_the_local_page_works_in_the_default_directory_or_alone() -> None:
    assert CONFIG.workspace_of(message_in(ChatKind.LOCAL, "page")) is PSY_DEV
    assert WorkspaceConfig(ROOT).default_workspace().directory == ROOT / "local"


def test_w3_no_name_leads_out_of_the_private_root() -> None:
    with pytest.raises(Unknown):
        CONFIG.named("private-../../etc")


def test_a3_twins_are_the_other_reading_of_a_bare_number() -> None:
    assert CONFIG.twins_of("-77") == {"-10077"}
    assert CONFIG.twins_of("-10077") == {"-77"}
    assert CONFIG.twins_of("-42") == frozenset()
    assert CONFIG.twins_of("-1") == frozenset()


def test_a3_narrowed_groups_are_known_as_such() -> None:
    assert CONFIG.is_narrowed("-99")
    assert CONFIG.is_narrowed("-99/4")
    assert not CONFIG.is_narrowed("-42")


def test_a3_supergroups_have_one_canonical_key() -> None:
    assert canonical_key("-1005000000001") == "-1005000000001"
    assert canonical_key("-1000000000123") == "-100123"
    assert canonical_key("-123") == "-123"
    assert canonical_key("123") == "123"
    assert bare_numbers("-100123") == ("123", "100123")
    assert bare_numbers("-100") == ("100",)
    assert bare_numbers("123") == ()


def test_a9_owners_are_those_who_are_called_so_or_the_first() -> None:
    anna, bela, carl = Listed("anna"), Listed("bela", role=Role.OWNER), Listed(id=3)
    assert Whitelist((anna, bela, carl)).owners() == (bela,)
    assert Whitelist((anna, carl)).owners() == (anna,)
    assert Whitelist((carl,)).owners() == (carl,)
    assert Whitelist().owners() == ()
