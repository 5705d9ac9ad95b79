from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from core.access import (
    Accounts,
    Action,
    Admission,
    Reason,
    Refusal,
    Role,
    administers,
    administers_all,
    admit,
    as_listed,
    may,
    role_of,
)
from core.errors import Unknown
from core.message import PAGE, Chat, ChatKind, Message, Person
from core.workspaces import Listed, Whitelist, Workspace, WorkspaceConfig

US = Person(100, "Valor_Ai")
BOT = Person(200, "valor_bot", is_bot=True)
ACCOUNTS = Accounts.of(US, BOT)
SECOND = Person(9, "other_name", more_usernames=("Anna",))
ANNA, BELA, STRANGER = Person(1, "Anna"), Person(2), Person(3, "stranger")
TEAM = Workspace("Team", Path("/srv/team"))
DEV = Workspace("Dev", Path("/srv/dev"), is_dev_group=True)
BY_BOT = Workspace("ByBot", Path("/srv/bot"), front="bot")
CONFIG = WorkspaceConfig(
    Path("/srv/private"),
    workspaces=(TEAM, DEV, BY_BOT),
    whitelist=Whitelist((Listed("anna"), Listed(id=2))),
    groups={"-10": "Team", "-20": "Dev", "-30": "ByBot", "10": "Team"},
    narrowed=frozenset({"-40"}),
    bots_allowed=frozenset({"helper_bot", "501"}),
)


def dm(sender: Person, text: str = "hello") -> Message:
    chat = Chat("account:100", str(sender.id))
    return Message(chat, 1, ChatKind.DM, sender, datetime(2026, 1, 1, tzinfo=UTC), text)


def group(key: str, text: str = "hello", sender: Person = ANNA) -> Message:
    return replace(dm(sender, text), chat=Chat("account:100", key), kind=ChatKind.GROUP)


def admitted(message: Message, replied_to_us: bool = False) -> Admission:
    decision = admit(message, CONFIG, ACCOUNTS, replied_to_us)
    assert isinstance(decision, Admission)
    return decision


def test_a1_no_configuration_admits_nobody() -> None:
    empty = WorkspaceConfig(Path("/srv/private"))
    assert admit(dm(ANNA), empty, ACCOUNTS) == Refusal("sender not on the whitelist")
    assert admit(group("-10"), empty, ACCOUNTS) == Refusal("group without a workspace")


@pytest.mark.parametrize(
    "sender", [ANNA, Person(9, "ANNA"), Person(9, "@anna"), BELA, Person(2, "other_name"), Person(2, "anna"), SECOND]
)
def test_a2_username_and_id_are_both_checked(sender: Person) -> None:
    decision = admitted(dm(sender))
    assert (decision.answer, decision.reason, decision.prompt) == (True, "direct message", "hello")


@pytest.mark.parametrize("sender", [STRANGER, Person(3), Person(3, "anna_"), Person(3, ""), Person(10), Person(20)])
def test_a2_everyone_else_is_refused(sender: Person) -> None:
    assert admit(dm(sender), CONFIG, ACCOUNTS) == Refusal(Reason.NOT_LISTED)


def test_a3_a_group_needs_a_workspace_not_listed_people() -> None:
    assert admitted(group("-10", sender=STRANGER)).workspace is TEAM
    assert admitted(group("-10010")).workspace is TEAM
    assert admit(group("-50"), CONFIG, ACCOUNTS) == Refusal(Reason.NO_WORKSPACE)
    assert admit(group("-40"), CONFIG, ACCOUNTS) == Refusal(Reason.NARROWED)


def test_a4_a_dev_group_answers_every_message_of_people() -> None:
    assert admitted(group("-20", sender=STRANGER)).reason == "dev group"
    assert admitted(group("-20", "@valor_ai hi")).reason == "mention"


@pytest.mark.parametrize(
    ("text", "prompt"),
    [
        ("@valor_ai what now?", "what now?"),
        ("what now @VALOR_BOT", "what now"),
        ("so @valor_ai what now?", "so what now?"),
        ("see:\n    code  here\n@valor_ai fix", "see:\n    code  here\nfix"),
        ("@valor_ai", ""),
        ("@valor_ai @valor_bot both", "both"),
        ("(@valor_ai) yes", "() yes"),
        ("Done.@valor_ai", "Done."),
        ("Done.@valor_ai thanks", "Done. thanks"),
        ("/ping@valor_bot", "/ping"),
        ("ask @bob and @valor_ai", "ask @bob and"),
    ],
)
def test_a4_the_mention_is_cut_out_and_nothing_else(text: str, prompt: str) -> None:
    decision = admitted(group("-10", text))
    assert (decision.answer, decision.reason, decision.prompt) == (True, "mention", prompt)


@pytest.mark.parametrize(
    "text",
    [
        "hello",
        "@valor_ai2 hi",
        "@valor hi",
        "mail me@valor_ai",
        "@@valor_ai",
        "see t.me/@valor_ai",
        "valor_ai",
        "/x@bob",
    ],
)
def test_a5_without_a_mention_it_is_context_only(text: str) -> None:
    decision = admitted(group("-10", f"  {text} "))
    assert (decision.answer, decision.reason, decision.prompt) == (False, "no mention", f"  {text} ")


def test_a4_a_name_in_code_or_a_link_is_no_mention_and_is_left_there() -> None:
    text = "print('@valor_ai') /ping@valor_bot"
    in_code = replace(group("-10", text), unread_spans=((0, 18), (19, 15)))
    assert (admitted(in_code).answer, admitted(in_code).reason) == (False, "no mention")
    both = replace(
        group("-10", f"@valor_ai {text}"), mentions=frozenset({"valor_ai"}), unread_spans=((10, 18), (29, 15))
    )
    assert (admitted(both).reason, admitted(both).prompt) == ("mention", text)


def test_a4_mentions_by_entity_count_and_are_cut() -> None:
    named = replace(group("-10", "hey Valor do it"), mentions=frozenset({"100"}), mention_spans=((4, 5),))
    assert (admitted(named).reason, admitted(named).prompt) == ("mention", "hey do it")
    two = replace(named, mentions=frozenset({"100", "5"}))
    assert (admitted(two).reason, admitted(two).prompt) == ("mention", "hey Valor do it")
    other = replace(named, mentions=frozenset({"5"}))
    assert admitted(other).answer is False
    mixed = replace(group("-10", "@bob hey Valor"), mentions=frozenset({"bob", "100"}), mention_spans=((0, 4), (9, 5)))
    assert admitted(mixed).prompt == "@bob hey"
    hidden = replace(group("-10", "hey"), mentions=frozenset({"valor_ai"}))
    assert (admitted(hidden).reason, admitted(hidden).prompt) == ("mention", "hey")


def test_a4_a_reply_to_us_is_answered() -> None:
    decision = admitted(group("-10", " and then? "), replied_to_us=True)
    assert (decision.answer, decision.reason, decision.prompt) == (True, "reply to us", " and then? ")


def test_a4_without_accounts_nobody_is_mentioned() -> None:
    decision = admit(group("-10", "@valor_ai"), CONFIG, Accounts())
    assert isinstance(decision, Admission)
    assert decision.reason == "no mention"


@pytest.mark.parametrize(
    ("sender", "reason"),
    [(US, "own message"), (BOT, "own message"), (Person(300, "x_bot", is_bot=True), "another bot")],
)
def test_a6_our_own_and_other_bots_are_never_answered(sender: Person, reason: str) -> None:
    decision = admitted(group("-20", "@valor_ai hi", sender), replied_to_us=True)
    assert (decision.answer, decision.reason) == (False, reason)


@pytest.mark.parametrize("sender", [Person(300, "Helper_Bot", is_bot=True), Person(501, is_bot=True)])
def test_a6_listed_bots_are_people(sender: Person) -> None:
    assert admitted(group("-20", sender=sender)).reason == "dev group"
    assert admit(dm(sender), CONFIG, ACCOUNTS) == Refusal(Reason.NOT_LISTED)


def test_a6_service_messages_are_never_answered() -> None:
    decision = admitted(replace(group("-20"), service="chat_add_user"))
    assert (decision.answer, decision.reason) == (False, "service message")


def test_a6_what_our_account_writes_elsewhere_is_no_business_of_ours() -> None:
    own = replace(dm(US), outgoing=True, chat=Chat("account:100", "3"))
    assert admit(own, CONFIG, ACCOUNTS) == Refusal("own message", quiet=True)
    to_bela = admitted(replace(own, chat=Chat("account:100", "2")))
    assert (to_bela.answer, to_bela.reason, to_bela.workspace.name) == (False, "own message", "private-2")
    saved = replace(own, kind=ChatKind.SELF, chat=Chat("account:100", "100"))
    assert admit(saved, CONFIG, ACCOUNTS) == Refusal("own message", quiet=True)


def test_a8_an_edit_is_decided_like_the_message() -> None:
    edited = replace(group("-10", "@valor_ai now"), edited_at=datetime(2026, 1, 2, tzinfo=UTC))
    assert admitted(edited).answer is True


def test_b1_a_group_is_served_by_one_front() -> None:
    elsewhere = Refusal("served by the other front", quiet=True)
    from_bot = Chat("bot:200", "-10")
    assert admit(replace(group("-10"), chat=from_bot), CONFIG, ACCOUNTS) == elsewhere
    assert admit(group("-30"), CONFIG, ACCOUNTS) == elsewhere
    assert isinstance(admit(replace(group("-30"), chat=Chat("bot:200", "-30")), CONFIG, ACCOUNTS), Admission)
    alone = Accounts.of(None, BOT)
    assert isinstance(admit(replace(group("-10"), chat=from_bot), CONFIG, alone), Admission)


def test_a9_the_local_page_acts_as_owner_in_the_workspace_it_names() -> None:
    local = replace(dm(Person(0)), kind=ChatKind.LOCAL, chat=Chat("local", "page"))
    decision = admit(local, CONFIG, ACCOUNTS, workspace="dev")
    assert isinstance(decision, Admission)
    assert (decision.workspace, decision.role, decision.answer, decision.reason) == (DEV, "owner", True, "local page")
    default = admit(local, CONFIG, ACCOUNTS)
    assert isinstance(default, Admission)
    assert default.workspace.name == "private-local"
    with pytest.raises(Unknown):
        admit(local, CONFIG, ACCOUNTS, workspace="mars")


def test_a9_what_each_role_may() -> None:
    own = {Action.CONVERSE, Action.SEARCH, Action.STOP_OWN, Action.CANCEL_OWN}
    assert {action for action in Action if may(Role.OWNER, action)} == set(Action)
    assert {action for action in Action if may(Role.MEMBER, action)} == own | {Action.CODE, Action.SPEND}
    assert {action for action in Action if may(Role.GUEST, action)} == own


def test_a6_a_bot_may_be_listed_by_any_of_its_usernames() -> None:
    helper = Person(502, "other_bot", is_bot=True, more_usernames=("Helper_Bot",))
    assert admitted(group("-20", sender=helper)).answer


def test_a9_without_roles_the_entry_or_the_first_listed_is_owner() -> None:
    assert role_of(ANNA, TEAM, CONFIG) is Role.OWNER
    assert role_of(BELA, TEAM, CONFIG) is Role.MEMBER
    assert role_of(STRANGER, TEAM, CONFIG) is Role.GUEST
    named = replace(CONFIG, whitelist=Whitelist((Listed("anna"), Listed(id=2, role=Role.OWNER))))
    assert role_of(ANNA, TEAM, named) is Role.MEMBER
    assert role_of(BELA, TEAM, named) is Role.OWNER
    only_ids = replace(CONFIG, whitelist=Whitelist((Listed(id=2), Listed(id=3, role=Role.GUEST))))
    assert role_of(BELA, TEAM, only_ids) is Role.OWNER
    assert role_of(STRANGER, TEAM, only_ids) is Role.GUEST


def test_a9_the_installation_has_the_whitelist_s_owners_and_whoever_is_within() -> None:
    here = Chat("bot:3", "2")
    theirs = replace(TEAM, roles={"2": Role.OWNER})
    assert administers_all(ANNA, here, CONFIG)
    assert administers(ANNA, here, theirs, CONFIG)
    assert not administers_all(BELA, here, CONFIG)
    assert administers(BELA, here, theirs, CONFIG)
    assert not administers(BELA, here, TEAM, CONFIG)
    assert not administers(BELA, here, None, CONFIG)
    assert administers_all(STRANGER, PAGE, CONFIG)


def test_a9_roles_of_a_workspace_decide_there() -> None:
    team = replace(TEAM, roles={"stranger": Role.OWNER, "1": Role.GUEST, "anna": Role.OWNER})
    assert role_of(STRANGER, team, CONFIG) is Role.OWNER
    assert role_of(ANNA, team, CONFIG) is Role.GUEST
    assert role_of(Person(9, "anna"), team, CONFIG) is Role.OWNER
    assert role_of(SECOND, team, CONFIG) is Role.OWNER
    assert role_of(BELA, team, CONFIG) is Role.MEMBER
    assert role_of(ANNA, replace(TEAM, roles={"2": Role.OWNER}), CONFIG) is Role.MEMBER
    assert role_of(Person(8), team, CONFIG) is Role.GUEST


def test_a4_a_reply_counts_whichever_of_our_accounts_it_answers() -> None:
    said = group("-10")
    to_the_bot = replace(said, reply_to=3, replied=replace(said, sender=BOT))
    assert admitted(to_the_bot).reason == "reply to us"
    assert not admitted(replace(to_the_bot, replied=replace(said, sender=STRANGER))).answer
    assert not admitted(replace(to_the_bot, replied=None)).answer


def test_a4_a_forwarded_command_for_another_bot_is_no_command() -> None:
    said = group("-20", "/weather@weather_bot Berlin")
    assert not admitted(said).answer
    assert admitted(replace(said, forwarded_from="Max")).answer


def test_a4_a_reply_to_us_counts_where_the_service_alone_knows_of_it() -> None:
    assert not admitted(group("-10")).answer
    assert admitted(replace(group("-10"), is_reply_to_us=True)).reason == Reason.REPLY


def test_a4_a_command_for_another_bot_is_not_ours() -> None:
    elsewhere = admitted(group("-20", "/ping@another_bot now"))
    assert (elsewhere.answer, elsewhere.reason) == (False, "command for another bot")
    assert admitted(group("-20", "/ping@Valor_Bot now")).prompt == "/ping now"
    assert admitted(group("-20", "/ping@somebody now")).answer  # no bot's name: words
    assert admitted(dm(ANNA, "/ping@another_bot")).answer


def test_a2_a_person_is_kept_by_the_username_that_the_configuration_knows() -> None:
    config = replace(
        CONFIG,
        workspaces=(replace(TEAM, roles={"lead": Role.OWNER}),),
        whitelist=Whitelist((Listed("anna", role=Role.OWNER), Listed("other"))),
    )
    assert as_listed(SECOND, config) == Person(9, "Anna", more_usernames=("other_name",))
    several = Person(9, None, more_usernames=("nobody", "Other", "Lead"))
    assert as_listed(several, config) == Person(9, "Lead", more_usernames=("Other", "nobody"))
    for person in (ANNA, BELA, Person(9, "x", more_usernames=("y",))):
        assert as_listed(person, config) == person
