"""The object store: whether it does all that the archive asks of it."""

from dataclasses import dataclass

from bridge.doctor.finding import Finding, broken, doubt, fine

ARCHIVE = "archive"

_SLOW = 2.0
"""Seconds for five small requests."""

_RIGHTS = (
    "see that the secret belongs to the key, and may write, read, list and delete: s3:PutObject, GetObject, "
    "ListBucket, DeleteObject; storage.objectUser at Google; Storage Blob Data Contributor at Azure"
)
_REMEDIES = {
    "let these credentials": _RIGHTS,
    "know these credentials": "set those of your provider: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, "
    "GOOGLE_APPLICATION_CREDENTIALS, or AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
    "no such bucket": "make the bucket, or correct BRIDGE_AUDIO_URL",
}
_OTHERS = (
    "look at its address and region, AWS_ENDPOINT_URL and AWS_REGION at S3 (AWS_ALLOW_HTTP=true for http), "
    "and at the credentials in the environment"
)


@dataclass(frozen=True, slots=True)
class Tried:
    """What became of an object that was made to try the store."""

    took: float
    """Seconds, for all that was done."""
    step: str | None = None
    """What could not be done with it: `written`, `read`, `read in part`, `listed`, `deleted`; None: all could."""
    reason: str = ""
    """Why, in our words."""


def archive(tried: Tried) -> Finding:
    """Whether audio can go there, and come back."""
    if tried.step:
        remedy = next((remedy for words, remedy in _REMEDIES.items() if words in tried.reason), _OTHERS)
        return broken(ARCHIVE, f"an object cannot be {tried.step}: {tried.reason}", remedy)
    said = f"an object was written, read, read in part, listed and deleted in {tried.took:.2f} s"
    if tried.took > _SLOW:
        return doubt(ARCHIVE, said, "take a bucket that is nearer: recordings are heard from it as slowly")
    return fine(ARCHIVE, said)
