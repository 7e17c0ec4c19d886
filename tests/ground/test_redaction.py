"""The redactor: no secret gets through, whatever is done to it; other text does."""

from __future__ import annotations

import base64
import html
import json
import random
import re
import secrets
import string
import textwrap
import time
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_tfoidc.redaction import MOST_PASSING, REDACTED, Redactor, harmless
from pytest_tfoidc.secretforms import squeeze

few = settings(max_examples=60)
WORDS = (
    *("azurerm_resource_group.main:", "Creation", "complete", "after", "3s", "plan", "apply"),
    *("https://management.azure.com/subscriptions", "HTTP/1.1", "200", "OK", "basic", "Error:"),
    *("│", "╷", "x-ms-request-id", "Bearer", "authentication", "(see", "eyJ", "sig=", "2026-01-01"),
)

strong = st.text(string.ascii_letters + string.digits + "+/=&?<>\"'~!%$ {}-_.", min_size=16).filter(
    lambda text: len(set(text.replace(" ", ""))) > 8 and any(c.isdigit() for c in text)
)


def letters(count: int) -> str:
    """Return letters that are like a random secret's, and always the same."""
    return base64.b64encode(random.Random(count).randbytes(count)).decode()[:count]  # noqa: S311 - no secret


def jsoned(text: str) -> str:
    return json.dumps(text)[1:-1]


def as_go(text: str) -> str:
    return jsoned(text).replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def boxed(text: str) -> str:
    return "\n".join(f"│ {line}" for line in textwrap.wrap(text, 30, break_on_hyphens=False))


def hard_wrapped(text: str) -> str:
    return "\n".join(f"E       {text[i : i + 11]}" for i in range(0, len(text), 11))


def coloured(text: str) -> str:
    return "".join(f"\x1b[1;31m{part}\x1b[0m" for part in (text[:5], text[5:]))


ENCODINGS: dict[str, Callable[[str], str]] = {
    "raw": str,
    "url": lambda t: quote(t, safe=""),
    "lower url": lambda t: (
        "".join(f"%{b:02x}" if not chr(b).isalnum() else chr(b) for b in t.encode())
        .replace("%2d", "-")
        .replace("%5f", "_")
        .replace("%2e", ".")
        .replace("%7e", "~")
    ),
    "form": quote_plus,
    "twice": lambda t: quote(quote(t, safe=""), safe=""),
    "json": jsoned,
    "json in json": lambda t: jsoned(jsoned(t)),
    "go": as_go,
    "go in json": lambda t: jsoned(as_go(t)),
    "html": html.escape,
    "repr": lambda t: repr(t)[1:-1],
    "hcl": lambda t: t.replace("${", "$${").replace("%{", "%%{"),
    "hex": lambda t: t.encode().hex(),
    "HEX": lambda t: t.encode().hex().upper(),
    "base64": lambda t: base64.b64encode(t.encode()).decode(),
    "base64url": lambda t: base64.urlsafe_b64encode(t.encode()).decode().rstrip("="),
    "basic": lambda t: base64.b64encode(f"user:{t}".encode()).decode(),
    "basic, more after": lambda t: base64.b64encode(f"ab{t}cd".encode()).decode(),
    "mime": lambda t: base64.encodebytes(t.encode()).decode(),
}


def as_dotnet(text: str) -> str:
    """Escape as System.Text.Json does."""
    return "".join(f"\\u{ord(c):04X}" if c in "\"&'<>+`" else c for c in text)


def all_escaped(text: str, form: str) -> str:
    return "".join(form.format(ord(c)) for c in text)


def mixed(text: str) -> str:
    """Escape each character in another way, some of them twice."""
    ways = ("%{:02x}", "\\u{:04X}", "&#{};", "%25{:02X}", "&amp;#x{:x};", "\\\\u{:04x}")
    plain = (c if c.isalnum() else ways[i % len(ways)].format(ord(c)) for i, c in enumerate(text))
    return "".join(plain)


ENCODINGS |= {
    "dotnet": as_dotnet,
    "dotnet in json": lambda t: jsoned(as_dotnet(t)),
    "html twice": lambda t: html.escape(html.escape(t)),
    "html of Go's templates": lambda t: (
        html.escape(t).replace("&quot;", "&#34;").replace("&#x27;", "&#39;").replace("+", "&#43;")
    ),
    "lower url twice": lambda t: all_escaped(t, "%25{:02x}"),
    "all url": lambda t: all_escaped(t, "%{:02X}"),
    "all json": lambda t: all_escaped(t, "\\u{:04x}"),
    "all html": lambda t: all_escaped(t, "&#{};"),
    "all html, hexadecimal": lambda t: all_escaped(t, "&#x{:02X};"),
    "mixed": mixed,
    "basic, url-safe": lambda t: base64.urlsafe_b64encode(f"u:{t}".encode()).decode(),
    "url in base64": lambda t: base64.b64encode(quote(t, safe="").encode()).decode(),
    "base64 in url": lambda t: quote(base64.b64encode(t.encode()).decode(), safe=""),
    "base64 twice": lambda t: base64.b64encode(base64.b64encode(t.encode())).decode(),
    "base64 of PowerShell's commands": lambda t: base64.b64encode(t.encode("utf-16-le")).decode(),
    "hex with colons": lambda t: t.encode().hex(":"),
    "hex of C": lambda t: "".join(f"\\x{code:02x}" for code in t.encode()),
    "bytes of Go": lambda t: f"[{' '.join(map(str, t.encode()))}]",
}


def terminal(text: str) -> str:
    """Wrap as a terminal of 80 columns does, behind a frame."""
    return "\r\n".join(f"│ {text[i : i + 78]}" for i in range(0, len(text), 78))


WRAPPINGS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "boxed": boxed,
    "hard": hard_wrapped,
    "coloured": coloured,
    "terminal": terminal,
    "letters": "\n│   ".join,
}


def remains(secret: str, redacted: str) -> list[str]:
    """Return the forms of a secret that are still in a text, read as a thief would."""
    seen = squeeze(redacted.encode())
    core = secret.strip()
    forms = {
        name: encode(core).encode() for name, encode in ENCODINGS.items() if "asic" not in name
    }
    for before in range(3):
        part = base64.b64encode(bytes(before) + core.encode())[4 * ((before + 2) // 3) :]
        forms[f"base64 at {before}"] = part[: len(part) // 4 * 4 - 4]
    return [name for name, form in forms.items() if squeeze(form) and squeeze(form) in seen]


@few
@given(
    secret=strong,
    encoding=st.sampled_from(sorted(ENCODINGS)),
    wrapping=st.sampled_from(sorted(WRAPPINGS)),
    before=st.sampled_from(["", "token=", "x y ", '{"a":"']),
    after=st.sampled_from(["", " and more", '"}', "\n"]),
)
def test_no_secret_gets_through(
    secret: str, encoding: str, wrapping: str, before: str, after: str
) -> None:
    redactor = Redactor()
    redactor.add(secret)
    text = before + WRAPPINGS[wrapping](ENCODINGS[encoding](secret)) + after
    assert remains(secret, redactor.redact(text)) == []


@few
@given(
    secret=strong,
    encoding=st.sampled_from(["raw", "base64", "hex", "json"]),
    cuts=st.lists(st.integers(1, 400), max_size=12),
    distance=st.integers(0, 300),
)
def test_no_secret_gets_through_between_two_chunks(
    secret: str, encoding: str, cuts: list[int], distance: int
) -> None:
    redactor = Redactor()
    redactor.add(secret)
    data = (" " * distance + ENCODINGS[encoding](secret) + " end").encode()
    chunks = []
    for cut in cuts:
        chunks.append(data[:cut])
        data = data[cut:]
    redacted = b"".join(redactor.redact_chunks([*chunks, data])).decode()
    assert remains(secret, redacted) == []
    assert redacted.endswith("end")


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_no_encoding_of_a_password_gets_through(encoding: str) -> None:
    secret = "P@ss+12/w0rd&=x9"  # much of it is escaped, and letters of every text
    redactor = Redactor()
    redactor.add(secret)
    for wrap in WRAPPINGS.values():
        written = wrap(ENCODINGS[encoding](secret))
        redacted = redactor.redact(f"x {'-' * 300_000} {written} end")
        assert REDACTED in redacted
        assert remains(secret, redacted) == []
        assert squeeze(ENCODINGS[encoding](secret).encode()) not in squeeze(redacted.encode())


@few
@given(
    known=st.lists(strong, min_size=1, max_size=12, unique=True),
    shown=st.data(),
    encoding=st.sampled_from(sorted(ENCODINGS)),
)
def test_no_secret_of_many_gets_through_one_after_the_other(
    known: list[str], shown: st.DataObject, encoding: str
) -> None:
    redactor = Redactor()
    for secret in known:
        redactor.add(secret)
        redactor.redact("between")
    secret = shown.draw(st.sampled_from(known))
    assert remains(secret, redactor.redact(f"a {ENCODINGS[encoding](secret)} b")) == []


@few
@given(
    secret=st.text("eroampE-_.:/ =!?#", min_size=8, max_size=30).filter(
        lambda text: len(set(text) - set(" ")) > 3 and len(squeeze(text.encode())) > 6
    ),
    others=st.integers(0, 40),
)
def test_secrets_of_common_letters_and_signs_alone_are_found(secret: str, others: int) -> None:
    """They have next to no core; where there are many such, other rows are read."""
    redactor = Redactor()
    redactor.add(*(f"or-a{n:02}e_r" for n in range(others)), secret)
    text = f"before '{secret}' after"
    assert squeeze(secret.strip().encode()) not in squeeze(redactor.redact(text).encode())
    assert redactor.redact("before after") == "before after"


def test_many_short_secrets_are_all_found() -> None:
    known = [f"{letters(n)[:3]}-{n:03}" for n in range(100, 400)]
    redactor = Redactor()
    redactor.add(*known)
    redacted = redactor.redact(" | ".join(known))
    assert [secret for secret in known if secret in redacted] == []


def test_one_more_secret_does_not_cost_as_much_as_all() -> None:
    redactor = Redactor()
    redactor.add(*(f"{letters(60)}{n:04}" for n in range(200)))
    started = time.process_time()
    redactor.redact("text")
    first = time.process_time() - started
    started = time.process_time()
    for number in range(40):
        redactor.hide_passing(f"{number:04}{letters(60)}")
        redactor.redact("text")
    assert time.process_time() - started < 5 * first


def test_tokens_that_have_passed_are_forgotten_but_not_the_last() -> None:
    redactor = Redactor()
    redactor.add("a-secret-that-stays-1")
    tokens = [f"{n:03}-{letters(n)[:40]}" for n in range(200, 500)]
    for token in tokens:
        redactor.hide_passing(token)
        assert REDACTED in redactor.redact(token)
    assert all(REDACTED in redactor.redact(token) for token in tokens[-MOST_PASSING:])
    assert redactor.redact(f"{tokens[0]} a-secret-that-stays-1") == f"{tokens[0]} {REDACTED}"


KNOWS_FORTY = Redactor()
KNOWS_FORTY.add(*(f"{letters(n)}{n}" for n in range(20, 60)), "P@ss-12-w0rd", "26e61c2c!x")
UUID = "26e61c2c-8f8f-8368-dcad-7647b50f00b5"


@few
@given(
    words=st.lists(
        st.one_of(
            st.uuids().map(str),
            st.binary(min_size=20, max_size=20).map(bytes.hex),  # of a commit
            st.binary(min_size=10, max_size=60).map(lambda b: base64.b64encode(b).decode()),
            st.sampled_from(WORDS),
            st.text("aeiorstn", max_size=12),
        ),
        max_size=40,
    )
)
def test_ids_and_base64_of_other_things_are_not_eaten(words: list[str]) -> None:
    text = "\n".join([*words, UUID])
    assert KNOWS_FORTY.redact(text) == text


def test_only_all_of_a_secret_counts_not_what_has_the_same_letters() -> None:
    redactor = Redactor()
    redactor.add("kv-prod-0815/x", "P@ss+w0rd&17")
    text = "kv prod 0815 x, kv_prod_0815_x, kv%20prod%200815%20x, Pss w0rd 17, P@ss-w0rd&17"
    assert redactor.redact(text) == text


@pytest.mark.parametrize("sign", ["=", "%3D", "%253D", "%25253d"])
def test_a_signature_that_nobody_registered_is_known_in_a_url_in_a_url(sign: str) -> None:
    for before in ("%26", "\\u0026", "&"):
        text = f"https://x/?next=y%3Fsv%3D1{before}sig{sign}{SIGNATURE[:43]}%253D end"
        redacted = Redactor().redact(text)
        assert SIGNATURE[:20] not in redacted
        assert redacted.endswith(" end")


def test_a_secret_across_the_windows_of_a_large_text_is_found() -> None:
    secret = letters(40)
    redactor = Redactor()
    redactor.add(secret)
    for place in range(262_100, 262_200, 7):
        text = "-" * place + secret + "-" * 300_000
        assert redactor.redact(text) == "-" * place + REDACTED + "-" * 300_000


@few
@given(words=st.lists(st.sampled_from(WORDS), max_size=60), secrets=st.lists(strong, max_size=3))
def test_other_text_is_left_as_it_is(words: list[str], secrets: list[str]) -> None:
    redactor = Redactor()
    redactor.add(*secrets, "secret", "production", "123456", "a", "", "\n")
    text = " ".join(words)
    assert redactor.redact(text) is text


@pytest.mark.parametrize("secret", ["", "a", "abc", " ", "\n", "     x", "\x00"])
def test_what_is_too_short_is_no_secret(secret: str) -> None:
    redactor = Redactor()
    redactor.add(secret)
    assert redactor.redact("a banana, abc; x\n") == "a banana, abc; x\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("the password is hunter", f"the password is {REDACTED}"),
        ("hunters hunt in hunterland", "hunters hunt in hunterland"),
        ("hunter, hunter.", f"{REDACTED}, {REDACTED}."),
        ("hun\nter and hun ter", "hun\nter and hun ter"),
    ],
)
def test_a_secret_that_is_a_word_counts_as_a_whole_word(text: str, expected: str) -> None:
    redactor = Redactor()
    redactor.add("hunter")
    assert redactor.redact(text) == expected


def test_secrets_with_regex_and_control_characters_are_taken_literally() -> None:
    redactor = Redactor()
    redactor.add(r"a.*[b]+(?=c)\d", "tab\there\x07bell1", "$^pipe|pipe9")
    assert redactor.redact(r"x a.*[b]+(?=c)\d y") == f"x {REDACTED} y"
    assert "bell1" not in redactor.redact("x tab\there\x07bell1 y")
    assert redactor.redact("aXX[b]") == "aXX[b]"
    assert "pipe9" not in redactor.redact("$^pipe|pipe9")


def test_secrets_that_begin_alike_are_all_taken_out_whole() -> None:
    redactor = Redactor()
    redactor.add("prefix-123", "prefix-123-longer-456", "prefix-123-longer-456-longest-789")
    text = "prefix-123 prefix-123-longer-456 prefix-123-longer-456-longest-789"
    assert redactor.redact(text) == " ".join([REDACTED] * 3)


def test_a_part_of_a_long_secret_is_taken_out() -> None:
    secret = letters(300)
    redactor = Redactor()
    redactor.add(secret)
    assert redactor.redact(f"'{secret[:100]}...{secret[-100:]}'") == f"'{REDACTED}...{REDACTED}'"


SAS = "?sv=2022-11-02&ss=b&se=2030-01-01&sig=abcDEF123%2Bxyz%2FABCDEFGHIJKLMNOPQRSTUVWXYZ01%3D"


@pytest.mark.parametrize(
    "text",
    [
        f"https://a.blob.core.windows.net/c{SAS}",
        SAS.removeprefix("?"),
        SAS.replace("&", "\\u0026"),
        "signature abcDEF123+xyz/ABCDEFGHIJKLMNOPQRSTUVWXYZ01= alone",
    ],
)
def test_a_sas_is_known_with_and_without_its_question_mark(text: str) -> None:
    redactor = Redactor()
    redactor.add(SAS)
    redacted = redactor.redact(text)
    assert "ABCDEFGH" not in redacted
    assert "abcDEF" not in redacted


def encoded(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


SIGNATURE = base64.urlsafe_b64encode(bytes(range(256))).decode().rstrip("=")
TOKEN = f"{encoded({'alg': 'RS256'})}.{encoded({'sub': 'x' * 80})}.{SIGNATURE}"
JWE = f"{encoded({'alg': 'RSA-OAEP', 'enc': 'A256GCM'})}.{SIGNATURE}.aXY.{SIGNATURE}.dGFn"
KEY = "-----BEGIN RSA PRIVATE KEY-----\n" + "\n".join([SIGNATURE[:64]] * 4)
KEY += "\n-----END RSA PRIVATE KEY-----"


@pytest.mark.parametrize(
    ("text", "trace"),
    [
        (TOKEN, "eyJ"),
        (JWE, "eyJ"),
        (f"Bearer {TOKEN}", "eyJ"),
        (base64.b64encode(TOKEN.encode()).decode(), "ZXlK"),
        (base64.b64encode(f":{TOKEN}".encode()).decode(), "leUpo"),
        (TOKEN.encode().hex(), "65794a"),
        (boxed(TOKEN), "eyJ"),
        (hard_wrapped(TOKEN), "eyJ"),
        (KEY, SIGNATURE[:20]),
        (json.dumps(KEY), SIGNATURE[:20]),
        (f"https://x/?sv=1&sig={SIGNATURE[:43]}%3D", SIGNATURE[:20]),
        (f"AccountName=a;AccountKey={SIGNATURE[:86]}==;", SIGNATURE[:20]),
        ("Authorization: Basic dXNlcjpwYXNzd29yZC1vZi11c2Vy", "dXNl"),
    ],
)
def test_what_has_the_shape_of_a_credential_needs_no_registration(text: str, trace: str) -> None:
    redacted = Redactor().redact(f"before {text} after\nand words that stay")
    assert trace not in redacted
    assert redacted.startswith("before ")
    assert redacted.endswith("and words that stay")


@pytest.mark.parametrize(
    "text",
    [
        "eyJhIjoxfQ is {'a': 1} in base64",
        "module.eyJ.name",
        "the signature sig=abc is short",
        "Bearer authentication-is-required-here",
        "basic information about something-that-is-long",
        "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "h1:Pctug/s/2Hg5FJqjYcTM0kPyx3AoYK1MpRWO0T9V2ns=",
        "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
    ],
)
def test_what_only_resembles_a_credential_stays(text: str) -> None:
    assert Redactor().redact(text) == text


def test_a_line_of_10_mb_and_bytes_that_are_no_utf_8_are_redacted() -> None:
    secret = "a-secret-of-30-letters-or-more"
    redactor = Redactor()
    redactor.add(secret)
    line = b"x" * 5_000_000 + secret.encode() + b"\xff\xfe" + b"y" * 5_000_000
    redacted = b"".join(redactor.redact_chunks([line]))
    assert redacted == b"x" * 5_000_000 + REDACTED.encode() + b"\xff\xfe" + b"y" * 5_000_000
    assert redactor.redact("\udcff" + secret) == "\udcff" + REDACTED


def test_values_that_may_be_kept_are_hidden_but_not_looked_for() -> None:
    redactor = Redactor()
    redactor.hide({"a": ["a-nested-value-1", 12345678901], "b": None, "c": True})
    assert redactor.secrets == ()
    assert redactor.redact("a-nested-value-1 12345678901") == f"{REDACTED} {REDACTED}"


@pytest.mark.parametrize(
    "command",
    [
        "##vso[task.setvariable variable=x]y",
        "text ##vso[task.complete result=Failed]",
        "##[set-env name=x]y",
        "::set-output name=x::y",
        "  ::error::no",
        "│ ::add-mask::x",
        "ok\r::stop-commands::x",
        "ok\x85::error::x",
        "##teamcity[message]",
        "##VSO[task.complete]",
        "#\u200b#vso[task.complete]",
        "#\xad#vso[task.complete]",
        "#\u200d#vso[task.complete]",
        "##\ufe0fvso[task.complete]",
        "\ufeff::error::x",
        "\xa0::error::x",
        "╷ ::error::x",
        "- ::error::x",
        ":\u200b:error::x",
        ":\u200d:error::x",
        "##\x1b[0mvso[task.complete]",
    ],
)
def test_no_command_reaches_a_pipeline(command: str) -> None:
    shown = harmless(command)
    seen = re.sub("[\u200b-\u200f\xad\ufe00-\ufe0f\ufeff]", "", shown)
    assert "##" not in seen
    assert not re.search(r"(?m)^\W*?::[A-Za-z]", seen)


@pytest.mark.parametrize(
    "sequence",
    [
        "\x1b[2J",
        "\x1b]0;title\x07",
        "\x1b]8;;http://x\x1b\\",
        "\x9b31m",
        "\x1bc",
        "\x08",
        "\x7f",
        "\x1bP1$x\x1b\\",
        "\u202e",
        "\u200f",
        "\u061c",
        "\U000e0041",
    ],
)
def test_no_sequence_reaches_a_terminal(sequence: str) -> None:
    assert harmless(f"a{sequence}b") == "ab"


@pytest.mark.parametrize(
    "text",
    [
        "plain\ttext\n",
        "a::b",
        "std::string",
        "## heading",
        "│ Error: x",
        "päß 日本",
        "👩\u200d💻 ❤\ufe0f",
        "a ::b",
    ],
)
def test_harmless_text_stays(text: str) -> None:
    assert harmless(text) == text


SIGNED_PARTS = 3


@pytest.mark.parametrize("parts", [3, 5])
def test_nothing_of_a_token_is_left_not_even_its_signature(parts: int) -> None:
    header = {"alg": "RS256"} if parts == SIGNED_PARTS else {"alg": "dir", "enc": "A256GCM"}
    first = base64.urlsafe_b64encode(json.dumps(header).encode()).rstrip(b"=").decode()
    rest = [secrets.token_urlsafe(40) for _ in range(parts - 1)]
    for middle in (rest, ["", *rest[1:]]):  # a JWE by a shared key has an empty part
        token = ".".join([first, *middle])
        assert Redactor().redact(f"token {token} end") == "token (redacted) end"
