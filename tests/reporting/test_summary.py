"""The summary says what was shown, and nothing else."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from pytest_tfoidc.events import (
    AccessTokenIssued,
    ClockMoved,
    CommandFinished,
    IdTokenFetched,
    IdTokenMinted,
    RequestAnswered,
)
from pytest_tfoidc.reporting.summary import ClientExpiries, Evidence, evidence_of, summary_lines

NOW = datetime(2026, 1, 1, tzinfo=timezone.utc)


def test_events_become_evidence() -> None:
    minted = IdTokenMinted(
        at=NOW, protocol="azure-devops", subject="s", audience="a", expires_at=NOW
    )
    issued = AccessTokenIssued(
        at=NOW, client_id="c", scope="s", expires_at=NOW, id_token_age=timedelta(minutes=2)
    )
    moved = ClockMoved(at=NOW, by=timedelta(minutes=30), reason="delay")
    finished = CommandFinished(at=NOW, command="plan", module="m", exit_code=0, seconds=1.5)
    evidence = evidence_of([minted, issued, issued, moved, finished], real=2.0)
    assert evidence == Evidence(
        id_tokens=1,
        exchanges=2,
        oldest=120.0,
        real=2.0,
        terraform=1.5,
        simulated=1802.0,
        identities=("c",),
    )


def test_subscriptions_and_identities_are_counted_once() -> None:
    def asked(path: str, status: int = 200) -> RequestAnswered:
        host = "management.azure.com"
        return RequestAnswered(at=NOW, host=host, method="GET", path=path, status=status)

    one, two, three = (f"{n}0000000-0000-4000-8000-000000000000" for n in (1, 2, 3))
    first = evidence_of(
        [asked(f"/subscriptions/{one}/resourceGroups/rg"), asked(f"/subscriptions/{two}")]
    )
    second = evidence_of([asked(f"/subscriptions/{one}"), asked(f"/subscriptions/{three}", 404)])
    carried = Evidence(**first.as_json()) + second
    assert carried.subscriptions == (one, two)
    lines = summary_lines(Evidence(subscriptions=(one, two, three), identities=("a", "b")))
    assert "  used         3 subscriptions, 2 identities" in lines
    assert "used" not in "\n".join(summary_lines(Evidence(subscriptions=(one,))))


def test_in_a_live_context_what_was_fetched_is_counted() -> None:
    fetched = IdTokenFetched(at=NOW, audience="a", expires_at=NOW)
    assert evidence_of([fetched, fetched]).id_tokens == 2


def test_lines_are_written_for_what_was_shown_only() -> None:
    assert summary_lines(Evidence(real=1, simulated=1, terraform=0.5)) == [
        "  time         1s; Terraform itself took 0.5s"
    ]
    lines = "\n".join(summary_lines(Evidence(delay=1800, controls=1)))
    assert "30m between plan and apply" in lines
    assert "AADSTS700024" in lines
    assert "no credential" not in lines
    assert "clean-up" not in lines


def test_one_is_not_many() -> None:
    (line, *_) = summary_lines(Evidence(id_tokens=1, exchanges=1))
    assert line == "  signed in    1 ID token, 1 exchange"


def test_refreshed_is_said_where_an_item_has_had_more_than_one_id_token() -> None:
    minted = IdTokenMinted(
        at=NOW, protocol="azure-devops", subject="s", audience="a", expires_at=NOW
    )
    once = evidence_of([minted]) + evidence_of([minted])
    assert (once.id_tokens, once.refreshed) == (2, 0)
    assert summary_lines(once)[0].startswith("  signed in ")
    again = evidence_of([minted, minted])
    assert summary_lines(again)[0].startswith("  refreshed ")


def test_the_age_of_id_tokens_is_said_where_it_tells_something() -> None:
    young, old = (Evidence(id_tokens=1, exchanges=1, oldest=age) for age in (59.0, 120.0))
    assert "older" not in summary_lines(young)[0]
    assert summary_lines(old)[0].endswith("; no ID token was older than 2m by then")


def test_what_expired_for_whom_is_said_and_what_that_does_not_show() -> None:
    clients = (
        ClientExpiries(client="azurerm 5.2.0", service="management.azure.com", calls=9, expiries=8),
        ClientExpiries(client="azurerm 5.2.0", service="graph.microsoft.com", calls=1),
        ClientExpiries(client="own", service="s", calls=4, expiries=3, refused=3, waited=61.2),
    )
    (line,) = [line for line in summary_lines(Evidence(clients=clients)) if "expired  " in line]
    assert "8 times for azurerm 5.2.0 at management.azure.com;" in line
    assert "never for azurerm 5.2.0 at graph.microsoft.com, which called once" in line
    assert "3 times for own at s (renewed after 3 refusals), which asked for a token up to" in line
    assert "that it would have expired by then is not shown" in line


NUMBERS = st.integers(0, 1000)
CLIENTS = st.lists(
    st.builds(
        ClientExpiries,
        client=st.sampled_from(["azurerm 5.2.0", "Terraform 1.15.5"]),
        service=st.sampled_from(["management.azure.com", "storage.azure.com"]),
        calls=NUMBERS,
        expiries=NUMBERS,
        waited=NUMBERS,
    ),
    max_size=4,
    unique_by=lambda one: (one.client, one.service),
).map(lambda found: tuple(sorted(found, key=lambda one: (one.client, one.service))))
EVIDENCE = st.builds(
    Evidence,
    id_tokens=NUMBERS,
    exchanges=NUMBERS,
    oldest=NUMBERS,
    delay=NUMBERS,
    real=NUMBERS,
    clients=CLIENTS,
)


@given(EVIDENCE, EVIDENCE, EVIDENCE)
def test_adding_evidence_does_not_depend_on_the_order(
    a: Evidence, b: Evidence, c: Evidence
) -> None:
    assert (a + b) + c == a + (b + c)
    assert a + b == b + a
    assert a + Evidence() == a


@given(EVIDENCE)
def test_evidence_survives_the_way_from_a_worker(evidence: Evidence) -> None:
    assert Evidence(**evidence.as_json()) == evidence
