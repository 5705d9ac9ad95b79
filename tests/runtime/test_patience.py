from __future__ import annotations

import pytest
from pydantic_ai.messages import (
    ModelMessage,
    ModelRequest,
    PartDeltaEvent,
    PartStartEvent,
    TextPart,
    TextPartDelta,
    ToolCallPart,
    UserPromptPart,
)
from pydantic_ai.models import ModelRequestParameters

from runtime.patience import Said, measure


def test_b3_the_text_of_a_response_grows_part_by_part() -> None:
    said = Said()
    events = [
        PartStartEvent(index=0, part=TextPart("")),
        PartDeltaEvent(index=0, delta=TextPartDelta("Let me ")),
        PartDeltaEvent(index=0, delta=TextPartDelta("see.")),
        PartStartEvent(index=1, part=ToolCallPart("read")),
        PartStartEvent(index=2, part=TextPart("More.")),
    ]
    assert [said.grows_by(event) for event in events] == [False, True, True, False, True]
    assert said.text == "Let me see.\n\nMore."


@pytest.mark.parametrize("content", ["four", ["fo", "ur"]])
def test_a_request_is_measured_in_characters(content: str | list[str]) -> None:
    messages: list[ModelMessage] = [ModelRequest(parts=[UserPromptPart(content)])]
    assert measure(messages, ModelRequestParameters()).prompt >= 4
