# pyright: basic, reportArgumentType=false
"""auth.*, help.*, account.*, users.*, contacts.*: who is there, and who am I."""

from __future__ import annotations

import os
from datetime import timedelta

from telethon.tl import functions as fn
from telethon.tl import types as tl

from tests.world.telegram import render
from tests.world.telegram.handshake import GENERATOR
from tests.world.telegram.model import Person, RefusalError
from tests.world.telegram.rpc import Answer, Call
from tests.world.telegram.srp import PRIME_BYTES, Challenge, verifier_of

LIMITS = {
    "chat_size_max": 200,
    "megagroup_size_max": 200_000,
    "forwarded_count_max": 100,
    "online_update_period_ms": 210_000,
    "offline_blur_timeout_ms": 5_000,
    "offline_idle_timeout_ms": 30_000,
    "online_cloud_timeout_ms": 300_000,
    "notify_cloud_delay_ms": 30_000,
    "notify_default_delay_ms": 1_500,
    "push_chat_period_ms": 60_000,
    "push_chat_limit": 2,
    "edit_time_limit": 172_800,
    "revoke_time_limit": 172_800,
    "revoke_pm_time_limit": 172_800,
    "rating_e_decay": 2_419_200,
    "stickers_recent_limit": 200,
    "channels_read_media_period": 604_800,
    "call_receive_timeout_ms": 20_000,
    "call_ring_timeout_ms": 90_000,
    "call_connect_timeout_ms": 30_000,
    "call_packet_timeout_ms": 10_000,
    "caption_length_max": 1_024,
    "message_length_max": 4_096,
    "webfile_dc_id": 4,
}


ELSEWHERE = 4  # the data centre where some files lie; the same server plays it


def get_config(call: Call) -> tl.Config:
    now, server = call.society.clock(), call.server
    places = (server.dc_id, ELSEWHERE)
    options: list = [tl.DcOption(dc, server.host, server.port, this_port_only=True, static=True) for dc in places]
    return tl.Config(
        date=now,
        expires=now + timedelta(hours=1),
        test_mode=False,
        this_dc=server.dc_id,
        dc_options=options,
        dc_txt_domain_name="",
        me_url_prefix="https://t.me/",
        **LIMITS,
    )


def _by_phone(call: Call) -> Person:
    phone = call.request.phone_number.lstrip("+")
    person = next((one for one in call.society.persons.values() if one.phone == phone), None)
    if person is None:
        raise RefusalError("PHONE_NUMBER_INVALID")
    return person


def send_code(call: Call):
    person = _by_phone(call)
    return tl.auth.SentCode(tl.auth.SentCodeTypeApp(len(person.code)), f"hash-{person.id}")


def sign_in(call: Call):
    person, request = _by_phone(call), call.request
    if request.phone_code_hash != f"hash-{person.id}":
        raise RefusalError("PHONE_CODE_EXPIRED")
    if (request.phone_code or "").zfill(5) != person.code:
        raise RefusalError("PHONE_CODE_INVALID")
    assert call.link.authorization
    if person.password:
        call.link.authorization.half_in = person
        raise RefusalError("SESSION_PASSWORD_NEEDED", 401)
    return _let_in(call, person)


def _let_in(call: Call, person: Person):
    authorization = call.link.authorization
    assert authorization
    authorization.person, authorization.half_in = person, None
    return tl.auth.Authorization(render.user(person, person))


def get_password(call: Call):
    """Also before sign-in is complete: it is what the client needs to complete it."""
    authorization = call.link.authorization
    assert authorization
    person = authorization.half_in or call.me
    question = {}
    if person.password:
        verifier = verifier_of(person.password)
        authorization.challenge = asked = Challenge(verifier)
        algorithm = _algorithm(verifier.salt1, verifier.salt2)
        question = {"has_password": True, "current_algo": algorithm, "srp_B": asked.public, "srp_id": asked.id}
    secure = tl.SecurePasswordKdfAlgoPBKDF2HMACSHA512iter100000(os.urandom(8))
    return tl.account.Password(_algorithm(os.urandom(8), os.urandom(16)), secure, os.urandom(256), **question)


def _algorithm(salt1: bytes, salt2: bytes):
    kind = tl.PasswordKdfAlgoSHA256SHA256PBKDF2HMACSHA512iter100000SHA256ModPow
    return kind(salt1, salt2, GENERATOR, PRIME_BYTES)


def check_password(call: Call):
    authorization, given = call.link.authorization, call.request.password
    assert authorization
    person = authorization.half_in or call.me
    challenge, authorization.challenge = authorization.challenge, None
    if isinstance(given, tl.InputCheckPasswordEmpty):
        raise RefusalError("PASSWORD_HASH_INVALID")
    if challenge is None or challenge.id != given.srp_id:
        raise RefusalError("SRP_ID_INVALID")
    if not challenge.is_met(given.A, given.M1):
        raise RefusalError("PASSWORD_HASH_INVALID")
    return _let_in(call, person)


def export_authorization(call: Call):
    number = next(call.society.numbers.files)
    call.society.exports[number] = (call.me, call.request.dc_id)
    return tl.auth.ExportedAuthorization(number, b"export")


def import_authorization(call: Call):
    person, dc_id = call.society.exports.pop(call.request.id)
    assert call.link.authorization
    call.link.authorization.person, call.link.authorization.dc_id = person, dc_id
    return tl.auth.Authorization(render.user(person, person))


def log_out(call: Call):
    assert call.me
    assert call.link.authorization
    call.link.forget()
    call.link.authorization.person = None
    return tl.auth.LoggedOut()


def get_users(call: Call) -> list:
    return [render.user(call.person(given), call.me) for given in call.request.id]


def get_full_user(call: Call):
    person = call.person(call.request.id)
    full = tl.UserFull(
        id=person.id,
        settings=tl.PeerSettings(),
        notify_settings=tl.PeerNotifySettings(),
        common_chats_count=sum(1 for chat in call.society.chats.values() if {person, call.me} <= set(chat.members)),
    )
    return tl.users.UserFull(full, [], [render.user(person, call.me)])


def resolve_username(call: Call):
    person = call.society.find_username(call.request.username)
    if person is None:
        raise RefusalError("USERNAME_NOT_OCCUPIED")
    return tl.contacts.ResolvedPeer(tl.PeerUser(person.id), [], [render.user(person, call.me)])


def update_status(call: Call) -> bool:
    call.me.online = not call.request.offline
    return True


def get_contacts(call: Call):
    assert call.me
    return tl.contacts.Contacts([], 0, [])


def get_notify_settings(call: Call):
    assert call.me
    return tl.PeerNotifySettings()


def get_app_config(call: Call):
    return tl.help.AppConfig(0, tl.JsonObject([]))


def nearest_dc(call: Call):
    return tl.NearestDc("XX", call.server.dc_id, call.server.dc_id)


ANSWERS: dict[type, Answer] = {
    fn.help.GetConfigRequest: get_config,
    fn.help.GetAppConfigRequest: get_app_config,
    fn.help.GetNearestDcRequest: nearest_dc,
    fn.auth.SendCodeRequest: send_code,
    fn.auth.SignInRequest: sign_in,
    fn.auth.CheckPasswordRequest: check_password,
    fn.auth.LogOutRequest: log_out,
    fn.auth.ExportAuthorizationRequest: export_authorization,
    fn.auth.ImportAuthorizationRequest: import_authorization,
    fn.users.GetUsersRequest: get_users,
    fn.users.GetFullUserRequest: get_full_user,
    fn.contacts.ResolveUsernameRequest: resolve_username,
    fn.contacts.GetContactsRequest: get_contacts,
    fn.account.GetPasswordRequest: get_password,
    fn.account.UpdateStatusRequest: update_status,
    fn.account.GetNotifySettingsRequest: get_notify_settings,
}
