"""Static websites: what lies in `$web` is there for anybody, once it is switched on."""

from __future__ import annotations

from typing import Any

import pytest

blobs: Any = pytest.importorskip("azure.storage.blob", reason="not installed")

from tests.mockazure.vaultkit import World  # noqa: E402 - after the check that it is there

SITE = "https://acct.z6.web.core.windows.net"


def test_a_website_shows_its_pages_and_its_page_for_errors(here: World) -> None:
    options = {**here.me.options(), "credential": here.azure.mock.blobs.key_for("acct")}
    assert here.azure.send("GET", f"{SITE}/").status_code == 404
    with blobs.BlobServiceClient("https://acct.blob.core.windows.net", **options) as service:
        website = blobs.StaticWebsite(
            enabled=True, index_document="index.html", error_document404_path="lost.html"
        )
        service.set_service_properties(static_website=website)
        web = service.get_container_client("$web")
        for name, text in (("index.html", "home"), ("a/index.html", "a"), ("lost.html", "lost")):
            settings = blobs.ContentSettings(content_type="text/html")
            web.upload_blob(name, text, content_settings=settings)
    seen = {
        path: (answer.status_code, answer.text, answer.headers["Content-Type"])
        for path in ("/", "/a/", "/index.html", "/none")
        for answer in [here.azure.send("GET", f"{SITE}{path}")]
    }
    assert seen == {
        "/": (200, "home", "text/html"),
        "/a/": (200, "a", "text/html"),
        "/index.html": (200, "home", "text/html"),
        "/none": (404, "lost", "text/html"),
    }
    assert here.azure.send("POST", f"{SITE}/").status_code == 405
    assert here.azure.send("GET", "https://other.z6.web.core.windows.net/").status_code == 404
