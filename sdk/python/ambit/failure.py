"""What goes wrong, as callers see it."""

from __future__ import annotations

from typing import TYPE_CHECKING, List, Optional, Sequence

from . import codec

if TYPE_CHECKING:
    from .v1 import Denial

#: The codes that an answer may have; docs/api.md says when.
CODES = frozenset(
    "canceled unknown invalid_argument deadline_exceeded not_found already_exists permission_denied resource_exhausted "
    "failed_precondition aborted out_of_range unimplemented internal unavailable data_loss unauthenticated".split()
)

# What a status says that no host of ours has sent.
_STATUS = {400: "internal", 401: "unauthenticated", 403: "permission_denied", 404: "unimplemented"}
_STATUS.update({429: "unavailable", 502: "unavailable", 503: "unavailable", 504: "unavailable"})


class Failure(Exception):
    """A host refused a request, or could not be asked."""

    def __init__(self, code: str, text: str, denials: Sequence[Denial] = ()) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code
        self.text = text
        #: Of permission_denied: each decision by which a launch was denied, with its reasons.
        self.denials: List[Denial] = list(denials)


def failure_of(sent: object, status: Optional[int] = None) -> Failure:
    """Makes a failure of what stands in an answer."""
    from .v1 import Denial  # which needs this module itself

    body = sent if isinstance(sent, dict) else {}
    code, text, details = body.get("code"), body.get("message"), body.get("details")
    if not isinstance(code, str) or code not in CODES:
        code = _STATUS.get(status or 0, "unknown")
    if not isinstance(text, str) or not text:
        text = code if status is None else f"the host answered with status {status}"
    denials = []
    for detail in details if isinstance(details, list) else []:
        if isinstance(detail, dict) and detail.get("type") == "ambit.v1.Denial":
            data = codec.read_base64(detail.get("value"))
            try:
                denials += [] if data is None else [codec.from_binary(Denial, data)]
            except codec.Malformed:
                pass  # the code stands without it
    return Failure(code, text, denials)
