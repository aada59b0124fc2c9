"""Every error that Crosstie knows, one tree.

    CrosstieError
    ├── ConfigurationError              a setting is missing or unsafe: refused at start
    ├── DeclarationError                a declaration contradicts itself: refused at import
    └── Problem                         an answer of RFC 9457 to a caller
        ├── BadRequest          400     ├── InvalidCursor  ├── MalformedJson  ├── TemplateUnknown
        │                               ├── UnknownParameter
        ├── Unauthorized        401
        ├── Forbidden           403     ├── EventTypeReserved  ├── IdentityElsewhere  ├── InsufficientScope
        │                               ├── LinkExpired  ├── TenantSuspended
        ├── NotFound            404
        ├── MethodNotAllowed    405
        ├── NotAcceptable       406
        ├── RequestTimeout      408
        ├── Conflict            409     ├── AlreadyRunning  ├── DoubleBooked  ├── EventIdConflict  ├── MoveRefused
        │                               ├── LegalHold  ├── ServiceUnconfigured  ├── StillReferenced
        ├── CursorExpired       410
        ├── PreconditionFailed  412
        ├── TooLarge            413
        ├── UnsupportedMedia    415
        ├── Invalid             422     ├── EgressForbidden  ├── EventTypeUnknown  ├── KeyReused
        │                               ├── ServiceRefused
        ├── UpgradeRequired     426
        ├── TooManyRequests     429
        ├── HeadTooLarge        431
        ├── Internal            500
        ├── ServiceFault        502
        └── Unavailable         503     ├── ServiceUnavailable

The first line of a docstring is the title that callers read; `code` is permanent, and a page of the documentation
bears its name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar


class CrosstieError(Exception):
    """Anything that Crosstie refuses or fails at."""


class ConfigurationError(CrosstieError):
    """A setting is missing, unknown or unsafe; the message says what to do."""


class DeclarationError(CrosstieError):
    """A declaration contradicts itself or another; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with an input: where (RFC 6901 pointer or parameter name), which rule, in words."""

    pointer: str
    code: str
    message: str


class Problem(CrosstieError):
    """An answer of RFC 9457: what is wrong, in words for a person and in a code for a program."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"

    def __init__(
        self,
        detail: str = "",
        *,
        errors: Iterable[Fault] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail or self.title())
        self.detail = detail or self.title()
        self.errors = tuple(errors)
        self.headers = dict(headers or {})

    @classmethod
    def title(cls) -> str:
        """The first line of the class's docstring, without its full stop."""
        return (cls.__doc__ or cls.__name__).strip().splitlines()[0].rstrip(".")

    def document(self, docs: str, request_id: str) -> dict[str, Any]:
        """The problem document; `docs` is the address of the error pages."""
        body: dict[str, Any] = {
            "type": f"{docs}/{self.code}",
            "title": self.title(),
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            "request_id": request_id,
        }
        if self.errors:
            body["errors"] = [{"pointer": f.pointer, "code": f.code, "message": f.message} for f in self.errors]
        return body


class BadRequest(Problem):
    """The request cannot be understood."""

    status = 400
    code = "bad_request"


class InvalidCursor(BadRequest):
    """The cursor does not belong to this list."""

    code = "invalid_cursor"


class MalformedJson(BadRequest):
    """The body is not well-formed JSON."""

    code = "malformed_json"


class TemplateUnknown(BadRequest):
    """There is no template of this name."""

    code = "template_unknown"


class UnknownParameter(BadRequest):
    """A query parameter is unknown or cannot be read."""

    code = "unknown_parameter"


class Unauthorized(Problem):
    """No valid credential came with the request."""

    status = 401
    code = "unauthorized"


class Forbidden(Problem):
    """The credential does not allow this."""

    status = 403
    code = "forbidden"


class IdentityElsewhere(Forbidden):
    """The tenant's people are kept by an issuer elsewhere."""

    code = "identity_elsewhere"


class InsufficientScope(Forbidden):
    """The credential lacks a scope."""

    code = "insufficient_scope"


class TenantSuspended(Forbidden):
    """The tenant is suspended."""

    code = "tenant_suspended"


class EventTypeReserved(Forbidden):
    """Events of this type are made by Crosstie itself."""

    code = "event_type_reserved"


class LinkExpired(Forbidden):
    """The link has expired or was altered."""

    code = "link_expired"


class NotFound(Problem):
    """There is no such thing here."""

    status = 404
    code = "not_found"


class MethodNotAllowed(Problem):
    """The method is not allowed here."""

    status = 405
    code = "method_not_allowed"


class NotAcceptable(Problem):
    """The answer has no form that the Accept header allows."""

    status = 406
    code = "not_acceptable"


class RequestTimeout(Problem):
    """The body came too slowly."""

    status = 408
    code = "request_timeout"


class Conflict(Problem):
    """The request contradicts the present state."""

    status = 409
    code = "conflict"


class AlreadyRunning(Conflict):
    """A request with the same Idempotency-Key is still running."""

    code = "idempotency_in_progress"


class DoubleBooked(Conflict):
    """The technician is booked at that time."""

    code = "double_booked"


class EventIdConflict(Conflict):
    """The event id was used before with another body."""

    code = "event_id_conflict"


class MoveRefused(Conflict):
    """The present state does not allow this move."""

    code = "move_refused"


class LegalHold(Conflict):
    """A legal hold forbids it."""

    code = "legal_hold"


class ServiceUnconfigured(Conflict):
    """Nobody provides this service to the tenant."""

    code = "service_unconfigured"


class StillReferenced(Conflict):
    """Other records still refer to this one."""

    code = "still_referenced"


class CursorExpired(Problem):
    """What follows the cursor is no longer kept."""

    status = 410
    code = "cursor_expired"


class PreconditionFailed(Problem):
    """The record has changed since it was read."""

    status = 412
    code = "precondition_failed"


class TooLarge(Problem):
    """The body is larger than allowed here."""

    status = 413
    code = "too_large"


class UnsupportedMedia(Problem):
    """The content type is not supported here."""

    status = 415
    code = "unsupported_media_type"


class Invalid(Problem):
    """The input breaks a rule."""

    status = 422
    code = "invalid"


class EgressForbidden(Invalid):
    """The address may not be called from here."""

    code = "egress_forbidden"


class EventTypeUnknown(Invalid):
    """The event type is unknown."""

    code = "event_type_unknown"


class KeyReused(Invalid):
    """The Idempotency-Key was used before with another request."""

    code = "idempotency_key_reused"


class UpgradeRequired(Problem):
    """This address speaks WebSocket."""

    status = 426
    code = "upgrade_required"


class ServiceRefused(Invalid):
    """The service refused what it was asked."""

    code = "service_refused"


class TooManyRequests(Problem):
    """Too many requests in this span of time."""

    status = 429
    code = "too_many_requests"


class HeadTooLarge(Problem):
    """Request line and headers are too large."""

    status = 431
    code = "head_too_large"


class Internal(Problem):
    """Something went wrong on our side."""

    status = 500
    code = "internal_error"


class ServiceFault(Problem):
    """The service answered what cannot be used."""

    status = 502
    code = "service_fault"


class Unavailable(Problem):
    """The service cannot answer right now."""

    status = 503
    code = "unavailable"


class ServiceUnavailable(Unavailable):
    """The service cannot be reached right now."""

    code = "service_unavailable"


def problems(tree: type[Problem] = Problem) -> list[type[Problem]]:
    """Every class of problem, parents first."""
    return [tree, *(p for child in tree.__subclasses__() for p in problems(child))]
