from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from core.content import sound_type
from scripts.experiments.mind import words_of
from scripts.experiments.outside import Outside
from tests.world.bot_api import BotApi
from tests.world.speech import SpeechWorld
from tests.world.telegram import TelegramWorld
from tests.world.web import WebWorld


def outside(folder: Path) -> Outside:
    return Outside(BotApi(TelegramWorld(folder)), WebWorld(), SpeechWorld())


def test_the_address_of_a_page_names_what_is_asked_and_its_title_gives_that_back(tmp_path: Path) -> None:
    around = outside(tmp_path)
    url = around.put_page("visit:0badcafe", "re:0badcafe")
    assert [word.nonce for word in words_of(url)] == ["0badcafe"]
    assert b"<title>re:0badcafe</title>" in around.web.pages[urlsplit(url).path].body


def test_in_a_sound_its_own_words_are_heard(tmp_path: Path) -> None:
    around = outside(tmp_path)
    sounds = [around.speak(f"ask:{nonce}") for nonce in ("0badcafe", "1badcafe")]
    assert [around.speech.said[sound] for sound in sounds] == ["ask:0badcafe", "ask:1badcafe"]
    assert sound_type(sounds[0]) == "ogg"
