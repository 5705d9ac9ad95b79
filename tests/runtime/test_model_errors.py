from __future__ import annotations

import pytest
from pydantic_ai.exceptions import ModelAPIError, ModelHTTPError, UnexpectedModelBehavior

from core.errors import ModelError, ModelRefused
from runtime.model_errors import explain, explain_run, kind_of, reason_of


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"error": {"message": "bad"}}, "bad"),
        ({"message": "worse"}, "worse"),
        ({"error": "text"}, "status 418"),
        ("text", "status 418"),
        (None, "status 418"),
    ],
)
def test_the_reason_is_what_the_service_said(body: object, reason: str) -> None:
    assert reason_of(ModelHTTPError(418, "m", body)) == reason


def test_an_error_without_category_or_words_is_named_by_its_kind() -> None:
    error = ModelAPIError("m", "odd")
    assert (reason_of(error), kind_of(error)) == ("ModelAPIError", "ModelAPIError")
    assert isinstance(explain(error), ModelRefused)


def test_other_ends_of_a_run_are_one_sentence() -> None:
    told = explain_run(UnexpectedModelBehavior("x"), 50)
    assert type(told) is ModelError
    assert str(told).endswith(".")
