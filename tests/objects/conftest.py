"""The S3 server."""

from tests.fakes.s3 import bucket, s3  # noqa: F401 - fixtures
