"""What the platform answers: a refusal as an exception, and any answer as a value."""

from typing import Any

import attrs
import orjson


class Refused(Exception):
    """The platform will not do what it was asked; it becomes an answer with an `errorCode`."""

    def __init__(
        self, error_code: int, message: str, specific_code: int | None = None, *details: str
    ) -> None:
        super().__init__(error_code, message, specific_code, *details)
        self.error_code = error_code
        self.message = message
        self.specific_code = specific_code
        self.details = details

    def answer(self) -> dict[str, Any]:
        """The JSON object that says so; absent parts are left out, as on the platform."""
        answer: dict[str, Any] = {"errorCode": self.error_code, "message": self.message}
        if self.specific_code is not None:
            answer["specificCode"] = self.specific_code
        if self.details:
            answer["additionalMessages"] = self.details
        return answer


def invalid(name: str, detail: str) -> Refused:
    """The refusal of one parameter that does not validate."""
    return Refused(400, f"'{name}' does not validate", 23016, detail)


@attrs.frozen(kw_only=True)
class Reply:
    """One complete HTTP answer, not yet sent."""

    status: int = 200
    body: bytes
    content_type: str = "application/json"
    headers: dict[str, str] = attrs.field(factory=dict)
    error_code: int | None = None


def success(answer: dict[str, Any]) -> Reply:
    """A JSON answer with status 200."""
    return Reply(body=orjson.dumps(answer))


def refusal(
    refused: Refused, *, at_200: bool = False, headers: dict[str, str] | None = None
) -> Reply:
    """The answer for a refusal; its HTTP status mirrors the `errorCode`, or is 200."""
    return Reply(
        status=200 if at_200 else refused.error_code,
        body=orjson.dumps(refused.answer()),
        headers=headers or {},
        error_code=refused.error_code,
    )
