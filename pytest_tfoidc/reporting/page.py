"""The page of a run: what was proven and by what, for people who were not there.

One file, that asks nobody for anything: no script, no font, no picture from elsewhere. Every text
in it is escaped, whoever wrote it.
"""

from __future__ import annotations

import html
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timezone
from pathlib import Path

from pytest_tfoidc.entrafacts import EXPIRED
from pytest_tfoidc.events import Event, ItemFinished, ItemStarted, RunDescribed, StepPlanned
from pytest_tfoidc.redaction import harmless
from pytest_tfoidc.reporting.eventlines import Read, read_lines
from pytest_tfoidc.reporting.picture import picture_of
from pytest_tfoidc.reporting.summary import LABEL_WIDTH, evidence_in, shown_for, summary_lines
from pytest_tfoidc.reporting.timeline import BAD, Happening, happenings, timeline_of, words_of

MOST_ROWS = 10_000
UNTOLD = (StepPlanned, RunDescribed)  # in the table: it is in the heading, or follows anyway
CAPTION = (
    "Blue: commands. Green: ID tokens, and violet: access tokens, from their issue to their end."
    " Dashed: a jump of the clock. Dotted red: from here on a run with its first ID token cached"
    f" would have failed with {EXPIRED}. Red: refused, or failed."
)
STYLE = """
:root{color-scheme:light dark;--back:#fff;--text:#1b1f24;--soft:#57606a;--line:#d0d7de;
--good:#116329;--bad:#b42318;--skip:#7a4d00;--command:#0a58ca;--id:#0f766e;--access:#6941c6;
--panel:#f6f8fa}
@media(prefers-color-scheme:dark){:root{--back:#0d1117;--text:#e6edf3;--soft:#9da7b3;--line:#30363d;
--good:#56d364;--bad:#ff7b72;--skip:#e3b341;--command:#6cb6ff;--id:#39c5bb;--access:#c4a7ff;
--panel:#161b22}}
*{box-sizing:border-box}
body{margin:0 auto;padding:1rem clamp(.75rem,3vw,2.5rem) 3rem;max-width:96rem;
background:var(--back);color:var(--text);
font:1rem/1.5 system-ui,sans-serif}
p,dd,h1,h2,h3,td.what{overflow-wrap:anywhere}
h1{font-size:1.6rem;margin:.5rem 0}h2{font-size:1.2rem;margin:2rem 0 .5rem}
p{margin:.3rem 0}.soft{color:var(--soft)}
.good{color:var(--good)}.bad{color:var(--bad)}.skip{color:var(--skip)}
.modules{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,26rem),1fr));gap:1rem}
.module{border:1px solid var(--line);border-radius:.5rem;padding:.75rem 1rem;
background:var(--panel)}
.module h3{margin:0 0 .5rem;font-size:1.05rem}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.25rem 1rem;margin:0}
dt{color:var(--soft)}dd{margin:0}
.wide{overflow-x:auto;border:1px solid var(--line);border-radius:.5rem}
.wide:focus-visible,summary:focus-visible{outline:3px solid var(--command);outline-offset:2px}
.wide svg{display:block;width:100%;min-width:44rem;height:auto}
table{border-collapse:collapse;width:100%;font-size:.9rem}
th,td{text-align:left;vertical-align:top;padding:.35rem .6rem;border-bottom:1px solid var(--line)}
th{background:var(--panel)}th,td{white-space:nowrap}td.what{min-width:14rem;white-space:normal}
summary{cursor:pointer;padding:.4rem 0}
svg text{font:11px system-ui,sans-serif;fill:var(--text)}svg .soft{fill:var(--soft)}
svg .grid{stroke:var(--line);stroke-width:1}svg .command{fill:var(--command)}
svg .id{fill:var(--id)}svg .access{fill:var(--access)}svg .tick{stroke:var(--soft);stroke-width:1}
svg .jump{stroke:var(--text);stroke-width:1.5;stroke-dasharray:4 3}
svg .dead,svg .bad{stroke:var(--bad);stroke-width:2}svg .dead{stroke-dasharray:1 3}
svg rect.bad{fill:var(--bad);stroke:none}svg .lane{fill:var(--panel)}
@media print{:root{--back:#fff;--text:#000;--soft:#444;--panel:#fff}.wide{overflow:visible}
.wide svg{min-width:0}}
"""


def write_page(lines: Iterable[str], path: Path) -> None:
    """Write the page of a run, all or nothing.

    Args:
        lines: What `--tf-events` writes.
        path: The file.

    Raises:
        OSError: It cannot be written.
    """
    save_page(page_of([read_lines(lines, where=str(path))]), path)


def save_page(page: str, path: Path) -> None:
    """Write a page that is ready, all or nothing.

    Raises:
        OSError: It cannot be written.
    """
    if path.exists() and not path.is_file():  # a device, such as /dev/stdout
        path.write_text(page, encoding="utf-8")
        return
    with tempfile.NamedTemporaryFile(  # 0600, as what it replaces may be secret
        "w", dir=path.parent, prefix=f".{path.name}.", encoding="utf-8", delete=False
    ) as file:
        file.write(page)
    Path(file.name).replace(path)


def page_of(reads: Sequence[Read]) -> str:
    """Return the page of one or several files of events.

    Args:
        reads: What was read of each file.
    """
    told = happenings(record for one in reads for record in one.records)
    runs: dict[str, list[Happening]] = {}
    for one in told:
        runs.setdefault(one.run, []).append(one)
    parts = [f"<p class=bad>{_text(note)}</p>" for one in reads for note in one.notes]
    if not runs:
        parts.append("<p>Nothing has happened: the file holds no events.</p>")
    for number, run in enumerate(runs.values(), start=1):
        parts += _run(run, number=number, of=len(runs))
    return _document(parts)


def _document(parts: Iterable[str]) -> str:
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    return "\n".join(
        [
            '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>OIDC evidence</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>",
            "<h1>Terraform with OIDC: the evidence</h1>",
            *parts,
            "</main>\n</body>\n</html>\n",
        ]
    )


def _run(told: Sequence[Happening], *, number: int, of: int) -> list[str]:
    finished = [one.event for one in told if isinstance(one.event, ItemFinished)]
    heading = [f"<h2>Run {number} of {of}</h2>"] if of > 1 else []
    return [
        *heading,
        *_about(told, finished),
        *_modules(finished),
        *_items(finished),
        "<h2>Timeline</h2>",
        '<div class="wide" role="region" aria-label="Timeline" tabindex="0">',
        picture_of(timeline_of(told), title=f"Timeline of run {number}"),
        "</div>",
        f'<p class="soft">{CAPTION}</p>',
        *_events(told),
    ]


def _about(told: Sequence[Happening], finished: Sequence[ItemFinished]) -> list[str]:
    described = dict.fromkeys(e.event.text for e in told if isinstance(e.event, RunDescribed))
    started = {one.event.item for one in told if isinstance(one.event, ItemStarted)}
    unended = sorted(started - {one.item for one in finished})
    counts = Counter(one.outcome for one in finished)
    verdict = ", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items()))
    kind = "bad" if counts["failed"] or unended else "good"
    begin, end = told[0].real, max(one.real for one in told)
    lines = [f'<p class="{kind}"><strong>{_text(verdict or "no test ended")}</strong></p>']
    lines += [f"<p>{_text(text)}</p>" for text in described]
    lines.append(f'<p class="soft">{_date(begin)} to {_date(end)} UTC, in real time</p>')
    if unended:
        lines.append(f'<p class="bad">Did not end: {_text(", ".join(unended))}</p>')
    return lines


def _modules(finished: Iterable[ItemFinished]) -> list[str]:
    """Say for each module what was shown, as the summary in the terminal does."""
    shown = shown_for(finished)
    if not shown:
        return []
    parts = ['<h2>What was shown</h2>\n<div class="modules">']
    for module, evidence in shown.items():
        rows = "".join(
            f"<dt>{_text(line[: LABEL_WIDTH + 2])}</dt><dd>{_text(line[LABEL_WIDTH + 2 :])}</dd>"
            for line in summary_lines(evidence)
        )
        parts.append(f'<section class="module"><h3>{_text(module)}</h3><dl>{rows}</dl></section>')
    return [*parts, "</div>"]


def _items(finished: Sequence[ItemFinished]) -> list[str]:
    if not finished:
        return []
    rows = []
    for one in finished:
        kind = {"passed": "good", "failed": "bad"}.get(one.outcome, "skip")
        proved = one.words or _proved(one)
        rows.append(
            f'<tr><td class="{kind}">{_text(one.outcome)}</td><td class="what">{_text(one.item)}'
            f'</td><td>{one.seconds:.1f}s</td><td class="what">{_text(proved)}</td></tr>'
        )
    return ["<h2>Tests</h2>", *_table("Tests", ("Outcome", "Test", "Time", "What it shows"), rows)]


def _proved(one: ItemFinished) -> str:
    evidence = evidence_in(one)
    lines = summary_lines(evidence) if evidence is not None else []
    told = [" ".join(line.split()) for line in lines]
    return "; ".join(line for line in told if not line.startswith("time "))


def _events(told: Sequence[Happening]) -> list[str]:
    shown = [one for one in told if not isinstance(one.event, UNTOLD)]
    rows = [_event_row(one) for one in shown[:MOST_ROWS]]
    more = len(shown) - len(rows)
    left = [f"<p>{more} more events are in the file of events only.</p>"] if more else []
    head = ("Real time", "Virtual time", "Worker", "What happened")
    return [
        f"<details><summary>The same in words: {len(shown)} events</summary>",
        *_table("Events", head, rows),
        *left,
        "</details>",
    ]


def _event_row(one: Happening) -> str:
    kind = ' class="bad"' if isinstance(one.event, BAD) or _has_failed(one.event) else ""
    return (
        f"<tr{kind}><td>{_time(one.real)}</td><td>{one.event.at:%H:%M:%S}</td>"
        f'<td>{_text(one.worker)}</td><td class="what">{_text(words_of(one.event))}</td></tr>'
    )


def _has_failed(event: Event) -> bool:
    return isinstance(event, ItemFinished) and event.outcome == "failed"


def _table(name: str, head: Sequence[str], rows: Sequence[str]) -> list[str]:
    cells = "".join(f'<th scope="col">{cell}</th>' for cell in head)
    return [
        f'<div class="wide" role="region" aria-label="{name}" tabindex="0">',
        f"<table><thead><tr>{cells}</tr></thead><tbody>",
        *rows,
        "</tbody></table></div>",
    ]


def _text(text: str) -> str:
    return html.escape(harmless(str(text)).strip())


def _utc(real: float) -> datetime:
    return datetime.fromtimestamp(real, tz=timezone.utc)


def _date(real: float) -> str:
    return f"{_utc(real):%Y-%m-%d %H:%M:%S}"


def _time(real: float) -> str:
    return f"{_utc(real):%H:%M:%S}"
