from __future__ import annotations

import pytest

from core import errors
from web.errors import tell


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.NotAllowed("no"), 403),
        (errors.Unknown("no"), 404),
        (errors.Busy("no"), 409),
        (errors.RequestError("no"), 400),
        (errors.ModelRefused("no"), 502),
        (errors.ModelUnavailable("no"), 503),
        (errors.DatabaseError("no"), 503),
    ],
)
def test_b12_each_error_has_its_status_and_its_sentence(error: errors.ValorError, status: int) -> None:
    told = tell(error)
    assert (told.status, told.body) == (status, {"error": "no"})


def test_b12_what_nobody_foresaw_is_a_sentence_with_an_id_and_no_more(caplog: pytest.LogCaptureFixture) -> None:
    told = tell(ZeroDivisionError("sk-secret in a message"))
    assert told.status == 500
    assert "secret" not in str(told.body)
    assert told.id is not None
    assert [getattr(record, "error_id", None) for record in caplog.records] == [told.id]
