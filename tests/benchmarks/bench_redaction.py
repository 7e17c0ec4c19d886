"""How fast logs are redacted, in processor time, beside how long it takes to split them.

Run it with Python; it prints its figures and fails where a text costs more than its limit: a ratio,
so that it is the same on every machine. The reference counts the different words of the same text.
"""

from __future__ import annotations

import base64
import string
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).parents[2]))

from pytest_tfoidc.redaction import Redactor

MEGABYTES = 16
TRIES = 3
SECRETS = (20, 500)
LOG = (
    "2026-01-02T03:04:05.678Z [DEBUG] provider.terraform-provider-azurerm: AzureRM Request: GET"
    " /subscriptions/1234/resourceGroups/rg?api-version=2024-01-01 HTTP/1.1 Host:"
    " management.azure.com User-Agent: HashiCorp Terraform\n"
)
FRAMED = '│ Error: something with │ words\n╷ and more, with \\"quotes\\" \x1b[31mred\x1b[0m\n'
JSON = '{"@level":"info","@message":"thing.x[12]: Creation complete","a":"b \\"c\\""}\n'
TRACE = """\
2026-11-26T14:17:26.518Z [TRACE] provider.terraform-provider-azurerm_v5.2.0: Received request:\
 tf_proto_version=5.11 @module=sdk.proto tf_provider_addr=registry.terraform.io/hashicorp/azurerm\
 tf_req_id=26e61c2c-8f8f-8368-dcad-7647b50f00b5 tf_resource_type=azurerm_management_lock\
 tf_rpc=ValidateResourceTypeConfig @caller=github.com/hashicorp/terraform-plugin-go@v0.31.0/rpc.go
2026-11-26T14:17:26.519Z [DEBUG] provider.terraform-provider-azurerm_v5.2.0: AzureRM Response for\
 https://management.azure.com/subscriptions/7e57ab1e-0000-4000-8000-000000000002/resourceGroups/rg/\
providers/Microsoft.Authorization/locks/a%20b?api-version=2020-05-01&%24filter=x:
HTTP/1.1 200 OK
Content-Length: 312
Content-Type: application/json
X-Ms-Correlation-Request-Id: 1f747cf4-7045-0d1c-a821-a48bb8109064

{"id":"/subscriptions/7e57ab1e-0000-4000-8000-000000000002","properties":{"level":"CanNotDelete"}}
      - .billing_model_version: planned value cty.StringVal("") for a non-computed attribute
2026-11-26T14:15:31.238Z [TRACE] vertex "azurerm_route.this (expand)": visit complete
"""  # as azurerm writes it
LINES = {"trace": TRACE, "log": LOG, "framed": FRAMED, "json": JSON}
# Times what the reference takes, with few secrets and with many.
MOST = {"trace": (6.0, 6.5), "log": (3.0, 4.0), "framed": (2.5, 3.5), "json": (3.0, 4.0)}


def seconds(call: Callable[[], object]) -> float:
    """Return the processor time of the fastest of some calls."""
    taken = []
    for _ in range(TRIES):
        started = time.process_time()
        call()
        taken.append(time.process_time() - started)
    return min(taken)


def redactor(count: int) -> Redactor:
    """Return a redactor that knows what a run does: tokens, keys, digests, passwords and words."""
    made, random = Redactor(), Random(1)  # noqa: S311 - no secrets
    kinds = (
        lambda: base64.urlsafe_b64encode(random.randbytes(900)).decode(),
        lambda: base64.b64encode(random.randbytes(64)).decode(),
        lambda: random.randbytes(20).hex(),
        lambda: "".join(random.choices(string.ascii_lowercase + string.digits, k=12)),
        lambda: f"P@ss-{random.randrange(1000)}-w0rd",
    )
    made.add(*(kinds[number % len(kinds)]() for number in range(count)))
    made.hide("a-sensitive-value-1", "hunter2hunter2", "production")
    made.redact("")
    return made


def redacted(knows: Redactor, text: bytes) -> int:
    """Redact a text as a log is redacted."""
    return sum(map(len, knows.redact_chunks([text])))


def words(text: bytes) -> int:
    """Count the different words of a text."""
    return len(set(text.split()))


def main() -> int:
    """Measure, print, and judge."""
    worst = 0.0
    for name, line in LINES.items():
        text = line.encode() * (MEGABYTES * 1_000_000 // len(line.encode()))
        least = seconds(partial(words, text))
        for count, most in zip(SECRETS, MOST[name], strict=True):
            taken = seconds(partial(redacted, redactor(count), text))
            speed = f"{len(text) / 1e6 / taken:4.0f} MB/s {name} with {count} secrets"
            print(f"{speed}; {taken / least:.2f} of the reference, at most {most}")
            worst = max(worst, taken / least / most)
    return 0 if worst < 1 else 1


if __name__ == "__main__":
    sys.exit(main())
