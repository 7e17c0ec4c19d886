"""The fixtures that tests of a run share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests


@pytest.fixture
def s3() -> Iterator[tuple[str, Any]]:
    """Yield the URL of an S3 on loopback, and a client of it."""
    boto3 = pytest.importorskip("boto3")
    server = pytest.importorskip("moto.server").ThreadedMotoServer("127.0.0.1", 0)
    server.start()
    url = "http://{}:{}".format(*server.get_host_and_port())
    keys = {"aws_access_key_id": "made-up", "aws_secret_access_key": "made-up"}
    client = boto3.client("s3", endpoint_url=url, region_name="eu-west-1", **keys)
    client.create_bucket(
        Bucket="states", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    yield url, client
    client.close()
    requests.post(f"{url}/moto-api/reset", timeout=10)  # it is one for the whole process
    server.stop()
