"""The blob service's refusals: codes, status codes and words, as Azure has them.

Source: https://learn.microsoft.com/rest/api/storageservices/blob-service-error-codes and
.../common-rest-api-error-codes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from xml.sax.saxutils import escape

NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
REPLACEMENT = "\ufffd"
CHECK_SIGNATURE = (
    "Server failed to authenticate the request. Make sure the value of Authorization header is "
    "formed correctly including the signature."
)
SEE_CHALLENGE = (
    "Server failed to authenticate the request. Please refer to the information in the "
    "www-authenticate header."
)
CONDITION = "The condition specified using HTTP conditional header(s) is not met."
BAD_QUERY = (
    "Value for one of the query parameters specified in the request URI is invalid.",
    "One of the query parameters specified in the request URI is outside the permissible range.",
    "A required query parameter was not specified for this request.",
)

WORDS: dict[str, tuple[int, str]] = {
    "AuthenticationFailed": (403, CHECK_SIGNATURE),
    "AuthorizationPermissionMismatch": (
        403,
        "This request is not authorized to perform this operation using this permission.",
    ),
    "AuthorizationProtocolMismatch": (
        403,
        "This request is not authorized to perform this operation using this protocol.",
    ),
    "AuthorizationResourceTypeMismatch": (
        403,
        "This request is not authorized to perform this operation using this resource type.",
    ),
    "AuthorizationServiceMismatch": (
        403,
        "This request is not authorized to perform this operation using this service.",
    ),
    "BlobAlreadyExists": (409, "The specified blob already exists."),
    "BlobArchived": (409, "This operation is not permitted on an archived blob."),
    "BlobNotFound": (404, "The specified blob does not exist."),
    "CannotVerifyCopySource": (404, "The specified blob does not exist."),
    "ConditionNotMet": (412, CONDITION),
    "ContainerAlreadyExists": (409, "The specified container already exists."),
    "ContainerNotFound": (404, "The specified container does not exist."),
    "CopyAcrossAccountsNotSupported": (
        400,
        "The copy source account and destination account must be the same.",
    ),
    "EmptyMetadataKey": (400, "The key for one of the metadata key-value pairs is empty."),
    "InvalidAuthenticationInfo": (
        400,
        (
            "Authentication information is not given in the correct format. Check the value of "
            "Authorization header."
        ),
    ),
    "InvalidBlobOrBlock": (400, "The specified blob or block content is invalid."),
    "AppendPositionConditionNotMet": (412, "The append position condition specified was not met."),
    "BlobIsSealed": (409, "The specified blob is sealed and its contents can't be modified."),
    "InvalidBlobType": (409, "The blob type is invalid for this operation."),
    "InvalidPageRange": (416, "The page range specified is invalid."),
    "MaxBlobSizeConditionNotMet": (412, "The max blob size condition specified was not met."),
    "InvalidBlockList": (400, "The specified block list is invalid."),
    "InvalidHeaderValue": (
        400,
        "The value for one of the HTTP headers is not in the correct format.",
    ),
    "InvalidMd5": (
        400,
        (
            "The MD5 value specified in the request is invalid. The MD5 value must be 128 bits and "
            "Base64-encoded."
        ),
    ),
    "InvalidMetadata": (
        400,
        "The metadata specified is invalid. It has characters that are not permitted.",
    ),
    "InvalidQueryParameterValue": (400, BAD_QUERY[0]),
    "InvalidRange": (
        416,
        "The range specified is invalid for the current size of the resource.",
    ),
    "InvalidResourceName": (400, "The specified resource name contains invalid characters."),
    "InvalidUri": (400, "The requested URI does not represent any resource on the server."),
    "InvalidTags": (
        400,
        "The tags specified are invalid. It contains characters that are not permitted.",
    ),
    "InvalidXmlDocument": (400, "XML specified is not syntactically valid."),
    "LeaseAlreadyPresent": (409, "There is already a lease present."),
    "LeaseIdMismatchWithBlobOperation": (
        412,
        "The lease ID specified did not match the lease ID for the blob.",
    ),
    "LeaseIdMismatchWithContainerOperation": (
        412,
        "The lease ID specified did not match the lease ID for the container.",
    ),
    "LeaseIdMismatchWithLeaseOperation": (
        409,
        "The lease ID specified did not match the lease ID for the blob/container.",
    ),
    "LeaseIdMissing": (
        412,
        "There is currently a lease on the resource and no lease ID was specified in the request.",
    ),
    "LeaseIsBreakingAndCannotBeAcquired": (
        409,
        (
            "The lease ID matched, but the lease is currently in breaking state and cannot be "
            "acquired until it is broken."
        ),
    ),
    "LeaseIsBreakingAndCannotBeChanged": (
        409,
        "The lease ID matched, but the lease is currently in breaking state and cannot be changed.",
    ),
    "LeaseIsBrokenAndCannotBeRenewed": (
        409,
        "The lease ID matched, but the lease has been broken explicitly and cannot be renewed.",
    ),
    "LeaseNotPresentWithBlobOperation": (412, "There is currently no lease on the blob."),
    "LeaseNotPresentWithContainerOperation": (412, "There is currently no lease on the container."),
    "LeaseNotPresentWithLeaseOperation": (
        409,
        "There is currently no lease on the blob/container.",
    ),
    "Md5Mismatch": (
        400,
        (
            "The MD5 value specified in the request did not match with the MD5 value calculated by "
            "the server."
        ),
    ),
    "MetadataTooLarge": (
        400,
        "The metadata specified exceeds the maximum allowed limit of 8 KiB.",
    ),
    "MissingRequiredHeader": (400, "An HTTP header that's mandatory for this request is missing."),
    "MissingRequiredQueryParameter": (400, BAD_QUERY[2]),
    "MultipleConditionHeadersNotSupported": (
        400,
        "Multiple condition headers are not supported.",
    ),
    "NoAuthenticationInformation": (401, SEE_CHALLENGE),
    "OutOfRangeInput": (
        400,
        "The specified resource name length is not within the permissible limits.",
    ),
    "OutOfRangeQueryParameterValue": (400, BAD_QUERY[1]),
    "RequestBodyTooLarge": (
        413,
        "The request body is too large and exceeds the maximum permissible limit.",
    ),
    "SnapshotsPresent": (
        409,
        "This operation is not permitted while the blob has snapshots.",
    ),
    "SourceConditionNotMet": (
        412,
        "The source condition specified using HTTP conditional header(s) is not met.",
    ),
    "UnauthorizedBlobOverwrite": (
        403,
        "This request is not authorized to perform blob overwrites.",
    ),
    "UnsatisfiableCondition": (
        400,
        "The request includes an unsatisfiable condition for this operation.",
    ),
    "UnsupportedHttpVerb": (405, "The resource doesn't support specified Http Verb."),
}


class StorageError(Exception):
    """A refusal of the blob service: an answer to a client, not an error of ours.

    Args:
        code: Azure's error code, one of `WORDS`.
        status: The status code, where it is not the code's usual one.
        words: The message, where it is not the code's usual one.
        headers: Headers of the answer.
        details: Elements beside code and message, such as `HeaderName`.
    """

    def __init__(
        self,
        code: str,
        *,
        status: int | None = None,
        words: str | None = None,
        headers: Mapping[str, str] | None = None,
        **details: str,
    ) -> None:
        super().__init__(code)
        self.code = code
        self.status = status or WORDS[code][0]
        self.words = words or WORDS[code][1]
        self.headers = headers or {}
        self.details = details

    def xml(self, *, request_id: str, time: str) -> bytes:
        """Return the body: Azure's `Error` document."""
        message = f"{self.words}\nRequestId:{request_id}\nTime:{time}"
        details = "".join(element(name, value) for name, value in self.details.items() if value)
        return document("Error", element("Code", self.code) + element("Message", message) + details)


def element(name: str, text: str) -> str:
    """Write an XML element that holds a text. What XML cannot hold becomes U+FFFD."""
    if not text:
        return f"<{name} />"
    return f"<{name}>{escape(NOT_XML.sub(REPLACEMENT, text))}</{name}>"


def document(name: str, inside: str, attributes: str = "") -> bytes:
    """Write an XML document around elements."""
    head = '<?xml version="1.0" encoding="utf-8"?>'
    return f"{head}<{name}{attributes}>{inside}</{name}>".encode()
