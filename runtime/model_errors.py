"""The model service's errors as one sentence for whoever can act, and whether another try makes sense."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeGuard

from pydantic_ai import exceptions as vendor

from core.errors import ModelError, ModelRefused, ModelUnavailable

if TYPE_CHECKING:
    from pydantic_ai.exceptions import AgentRunError, ModelAPIError

PASSING = (
    (vendor.ModelRateLimitError, "The model service takes no more requests from us for the moment."),
    (vendor.ModelOverloadedError, "The model service is overloaded for the moment."),
    (vendor.ModelUnavailableError, "The model service is not available for the moment."),
    (vendor.ModelServerError, "The model service failed; that is its own fault and usually passes."),
    (vendor.ModelTimeoutError, "The model service did not answer in time."),
    (vendor.ModelConnectionError, "The connection to the model service broke."),
)
LASTING = (
    (vendor.ModelQuotaExceededError, "The account at the model service is used up: the owner has to top it up."),
    (vendor.ModelAuthenticationError, "The model service refuses our key: the owner has to check it in .env."),
    (
        vendor.ModelNotFoundError,
        "The model service has no model {model}: the owner has to check MODEL_PRIMARY and its like.",
    ),
    (vendor.ModelContextWindowExceededError, "This is too long for the model {model}: ask for less at once."),
    (vendor.ModelRequestRejectedError, "The model service refused the request as invalid ({reason})."),
)
NO_CATEGORY = "The model service answered with an error ({reason})."
TOO_MANY_CALLS = "I stopped after {calls} tool calls without coming to an end. Ask for a smaller step."
NO_SENSE = "The model gave no usable answer, even when told what was wrong with it. Ask again, or in other words."


def explain(error: ModelAPIError) -> ModelUnavailable | ModelRefused:
    """Our error for the service's."""
    words = {"model": error.model_name, "reason": reason_of(error)}
    for category, sentence in PASSING:
        if isinstance(error, category):
            return ModelUnavailable(sentence, error.retry_after)
    for category, sentence in LASTING:
        if isinstance(error, category):
            return ModelRefused(sentence.format(**words))
    return ModelRefused(NO_CATEGORY.format(**words))


def explain_run(error: AgentRunError, calls: int) -> ModelError:
    """Our error for a run that pydantic-ai ended; `calls` is the number of tool calls it allowed."""
    if isinstance(error, vendor.UsageLimitExceeded):
        return ModelError(TOO_MANY_CALLS.format(calls=calls))
    return ModelError(NO_SENSE)


def kind_of(error: ModelAPIError) -> str:
    """The error's type for the accounts: the service's own word, else its category."""
    return error.provider_error_type or getattr(error, "category", type(error)).__name__


def reason_of(error: ModelAPIError) -> str:
    """What the service said, short; its status when it said nothing."""
    said = _message_in(error.body) or (_message_in(error.body.get("error")) if _is_object(error.body) else None)
    status = getattr(error, "status_code", None)
    return said[:200] if said else f"status {status}" if status else type(error).__name__


def _message_in(body: object) -> str | None:
    message = body.get("message") if _is_object(body) else None
    return message if isinstance(message, str) else None


def _is_object(body: object) -> TypeGuard[dict[str, object]]:
    return isinstance(body, dict)
