"""The platform's answers: a refusal as an exception, and any answer as a value."""

from typing import Any

import attrs
import orjson

from contactsdk.sandbox.guesses import Guesses


class RefusedError(Exception):
    """The platform refuses a request; the error becomes an answer with an `errorCode`."""

    def __init__(
        self, error_code: int, message: str, specific_code: int | None = None, *details: str
    ) -> None:
        super().__init__(error_code, message, specific_code, *details)
        self.error_code = error_code
        self.message = message
        self.specific_code = specific_code
        self.details = details

    def answer(self, *, codes_as_text: bool = False) -> dict[str, Any]:
        """The JSON object of the answer; absent parts are left out, as on the platform."""

        def code(number: int) -> int | str:
            return str(number) if codes_as_text else number

        answer: dict[str, Any] = {"errorCode": code(self.error_code), "message": self.message}
        if self.specific_code is not None:
            answer["specificCode"] = code(self.specific_code)
        if self.details:
            answer["additionalMessages"] = list(self.details)
        return answer


class UnsuccessfulError(Exception):
    """The platform does not write a contact; it becomes an answer with `"success": false`."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def answer(self) -> dict[str, Any]:
        """The JSON object of the answer."""
        return {"success": False, "message": self.message}


def invalid(name: str, detail: str) -> RefusedError:
    """The refusal because of one parameter that does not validate."""
    return RefusedError(400, f"'{name}' does not validate", 23016, detail)


def missing(name: str) -> RefusedError:
    """The refusal because one required parameter is missing."""
    return RefusedError(400, f"'{name}' is required", 23017)


def internal_error() -> RefusedError:
    """The refusal with errorCode 500, which gives no reason."""
    return RefusedError(500, "Internal error")


def raced() -> RefusedError:
    """The refusal of a write because another write to the same record came first."""
    return RefusedError(429, "Race condition error", 24299)


@attrs.frozen(kw_only=True)
class Reply:
    """One complete HTTP answer, not yet sent."""

    status: int = 200
    body: bytes
    content_type: str = "application/json"
    headers: dict[str, str] = attrs.field(factory=dict)
    error_code: int | None = None


def success(answer: Any) -> Reply:
    """A JSON answer with status 200."""
    return Reply(body=orjson.dumps(answer))


def refusal(
    refused: RefusedError, guesses: Guesses, *, headers: dict[str, str] | None = None
) -> Reply:
    """The HTTP answer for a refusal; `guesses` decide its status and the type of its codes."""
    return Reply(
        status=refused.error_code if guesses.error_status == "mirrored" else 200,
        body=orjson.dumps(refused.answer(codes_as_text=guesses.codes == "text")),
        headers=headers or {},
        error_code=refused.error_code,
    )
