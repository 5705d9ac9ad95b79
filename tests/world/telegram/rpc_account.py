# pyright: basic, reportArgumentType=false
"""auth.*, help.*, account.*, users.*, contacts.*: who is there, and who am I."""

from __future__ import annotations

from datetime import timedelta

from telethon.tl import functions as fn
from telethon.tl import types as tl

from tests.world.telegram import render
from tests.world.telegram.model import Person, RefusalError
from tests.world.telegram.rpc import Answer, Call

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
    call.link.authorization.person = person
    return tl.auth.Authorization(render.user(person, person))


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
    fn.auth.LogOutRequest: log_out,
    fn.auth.ExportAuthorizationRequest: export_authorization,
    fn.auth.ImportAuthorizationRequest: import_authorization,
    fn.users.GetUsersRequest: get_users,
    fn.users.GetFullUserRequest: get_full_user,
    fn.contacts.ResolveUsernameRequest: resolve_username,
    fn.contacts.GetContactsRequest: get_contacts,
    fn.account.UpdateStatusRequest: update_status,
    fn.account.GetNotifySettingsRequest: get_notify_settings,
}
