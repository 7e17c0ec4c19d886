"""Credentials that are known by their shape, wherever they stand.

Services mark what they issue, so that it is found where it should not be: GitHub, GitLab, Azure
DevOps, Entra ID, Azure's keys (Microsoft: "Azure common annotated security keys"), HashiCorp, AWS.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from pytest_tfoidc.terraform.audit import detector as detection
from pytest_tfoidc.terraform.audit.detector import Detected

_END = r"(?![A-Za-z0-9])"
_ALONE = r"(?<![A-Za-z0-9+/_.-])"
# By what each has in it, so that a text without that is not searched; in any text, the last two.
SHAPES: tuple[tuple[tuple[str, ...], str, str], ...] = (
    (("PRIVATE KEY-----",), r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----", detection.PRIVATE_KEY),
    (("sig=",), r"(?:[?&;]|u0026)sig=[A-Za-z0-9%+/]{20,}", detection.SAS_TOKEN),
    (
        ("Key=", "key=", "KEY="),
        r"(?i)(?:Account|SharedAccess)Key=[A-Za-z0-9+/=%]{20,}",
        detection.STORAGE_KEY,
    ),
    (
        ("+ASt", "+ABa", "+AMC"),
        rf"{_ALONE}[A-Za-z0-9+/]{{76}}\+(?:ASt|ABa|AMC)[A-Za-z0-9+/]{{5}}[AQgw]==",
        detection.STORAGE_KEY,
    ),
    *(
        (marks, shape, detection.SECRET)
        for marks, shape in (
            (("ghp_", "gho_", "ghu_", "ghs_", "ghr_"), r"\bgh[pousr]_[A-Za-z0-9]{36}"),
            (("github_pat_",), r"\bgithub_pat_[A-Za-z0-9_]{40,}"),
            (
                ("glpat-", "glptt-", "glrt-", "glcbt-", "gldt-", "glsoat-"),
                r"\bgl(?:pat|ptt|rt|cbt|dt|soat)-[A-Za-z0-9_.-]{20}",
            ),
            (("AZDO",), rf"{_ALONE}[A-Za-z0-9]{{76}}AZDO[A-Za-z0-9]{{4}}{_END}"),
            (("Q~",), r"(?<![\w.~-])[\w.~-]{3}\dQ~[\w.~-]{31,34}(?![\w~-])"),
            (
                ("ACDb", "APIM"),
                rf"{_ALONE}[A-Za-z0-9+/]{{76}}(?:ACDb|APIM)[A-Za-z0-9+/]{{5}}[AQgw]==",
            ),
            (
                ("AIoT", "+ASb", "+AEh", "+ARm"),
                rf"{_ALONE}[A-Za-z0-9+/]{{33}}(?:AIoT|\+ASb|\+AEh|\+ARm)[A-Za-z0-9+/]{{5}}=",
            ),
            (("+ACR",), rf"{_ALONE}[A-Za-z0-9+/]{{42}}\+ACR[A-Za-z0-9+/]{{6}}{_END}"),
            (("AzFu",), r"\b[A-Za-z0-9_-]{44}AzFu[A-Za-z0-9_-]{5}[AQgw]=="),
            (("AzSe", "AzCa"), r"\b[A-Za-z0-9]{42}Az(?:Se|Ca)[A-Za-z0-9]{5,}"),
            (("JQQJ99",), rf"\b[A-Za-z0-9]{{52}}JQQJ99[A-Za-z0-9]{{26,}}{_END}"),
            (("AKIA", "ASIA"), r"\b(?:AKIA|ASIA)[A-Z2-7]{16}\b"),
            (("hvs.", "hvb.", "hvr."), r"\bhv[sbr]\.[A-Za-z0-9_-]{20,}"),
            ((".atlasv1.",), r"\b[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_-]{60,}"),
            (("xox",), r"\bxox[abeoprs]-[A-Za-z0-9-]{20,}"),
            (("AIza",), r"\bAIza[A-Za-z0-9_-]{35}"),
            (("GOCSPX-",), r"\bGOCSPX-[A-Za-z0-9_-]{28}"),
            (("glsa_",), r"\bglsa_[A-Za-z0-9_]{36,}"),
            (("dop_v1_",), r"\bdop_v1_[a-f0-9]{64}\b"),
            (("dapi",), r"\bdapi[a-f0-9]{32}\b"),
            (("SG.",), rf"\bSG\.[A-Za-z0-9_-]{{22}}\.[A-Za-z0-9_-]{{43}}{_END}"),
            (("npm_",), r"\bnpm_[A-Za-z0-9]{36}\b"),
            (("sk_live_",), r"\bsk_live_[A-Za-z0-9]{24,}"),
            (("dckr_pat_",), r"\bdckr_pat_[A-Za-z0-9_-]{27}"),
            (
                ("token=", "password=", "aws_access_key_secret="),
                r"(?i)[?&](?:(?:access_|private_)?token|password|aws_access_key_secret)=[^&\s]{8,}",
            ),
            (
                ("assword=", "ASSWORD=", "wd=", "WD="),
                r"(?i)(?:^|[\s,;&?\"'])(?:password|pwd)=[^\s,;&$<{]{6,}",
            ),
            (
                ("uthorization", "UTHORIZATION"),
                r"(?i)\bauthorization\"?[:=] *\"?(?:basic|bearer) +[A-Za-z0-9._~+/=-]{16,}",
            ),
        )
    ),
)
COMMON = (  # what every long text has some part of: in short texts only
    re.compile(r"://[^/@:\s]*:[^/@\s$<{]+@"),
    re.compile(r"(?:git::)?https?://[A-Za-z0-9_-]{20,}@"),
    # an old token of Azure DevOps: base32, and no word, as it has a digit soon
    re.compile(rf"{_ALONE}(?=[a-z]{{0,24}}[2-7])(?=[2-7]{{0,24}}[a-z])[a-z2-7]{{52}}{_END}"),
)
_PATTERNS = tuple((marks, re.compile(shape), kind) for marks, shape, kind in SHAPES)
# What Azure's resources and pipelines have; all marks would take longer than the rest of a search.
FREQUENT = frozenset(
    ("PRIVATE KEY-----", "sig=", "Key=", "+ASt", "ACDb", "JQQJ99", "Q~", "ghp_", "AZDO", "assword=")
)
BEFORE, AFTER = 128, 4096  # letters around a mark, in which what it belongs to lies


def by_shape(text: str) -> Detected | None:
    """Return the credential that a text's shape gives away first, if any."""
    for marks, shape, kind in _PATTERNS:
        match = shape.search(text) if any(mark in text for mark in marks) else None
        if match:
            return Detected(kind=kind, key=match[0])
    found = (shape.search(text) for shape in COMMON)
    return next((Detected(kind=detection.SECRET, key=one[0]) for one in found if one), None)


def all_by_shape(text: str, marks: Collection[str]) -> Iterator[Detected]:
    """Return every credential in a long text that its shape gives away by one of some marks."""
    for its_marks, shape, kind in _PATTERNS:
        for mark in its_marks:
            place = text.find(mark) if mark in marks else -1
            while place >= 0:
                end = place + len(mark)
                found = shape.search(text, max(0, place - BEFORE), place + AFTER)
                if found:
                    end = max(end, found.end())
                    yield Detected(kind=kind, key=found[0])
                place = text.find(mark, end)
