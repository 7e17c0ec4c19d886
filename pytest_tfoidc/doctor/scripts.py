"""Scripts of pipelines: whether they run Terraform, and which variables they set, and where.

Files of the repository that a script calls count as a part of it, and so do targets of a Makefile.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

Others = Callable[[str], str]
COMMENT = re.compile(r"(?:^|(?<=\s))#(?!#vso\[).*$", re.MULTILINE)  # but for logging commands
CONTINUED = re.compile(r"[\\`^]\r?\n\s*")
JOINT = "\x1f"  # in the place of the end of a line that goes on in the next one: white space to all
EXPRESSION = r"\$\{\{.*?\}\}|\$\(.*?\)|\$\{[^}]*\}|\$env:\w+|\$[\w@*]+|%\w+%"
# A program, or an image that runs it.
PROGRAM = re.compile(
    r"\b(?:terraform|(?:open)?tofu|terragrunt)(?:\.exe|:[\w.-]+|@sha256:\w+)?[\"']?(?=\s)"
)
PYTEST = re.compile(r"--tf-module\b")
WORD = re.compile(rf"(?:{EXPRESSION}|\"[^\"]*\"|'[^']*'|[^\s;&|])+|[;&|]+")
# After what a program is the command, and not a word of another one.
COMMANDING = re.compile(
    r"(?:^|[;&|({!/\\\"'`]|\b(?:then|do|else|if|sudo|exec|time|command|env)|=\S*)\s*$"
)
LONGEST_LINE = 4000  # characters; what is beyond is no command that somebody wrote
AN_EXPRESSION = re.compile(rf"[\"']?(?:{EXPRESSION})[\"']?")
# What signs in. A subcommand that an expression gives may be any of them.
SIGN_IN = frozenset(
    {
        "apply",
        "apply-all",
        "console",
        "destroy",
        "destroy-all",
        "force-unlock",
        "import",
        "init",
        "output",
        "output-all",
        "plan",
        "plan-all",
        "refresh",
        "state",
        "taint",
        "test",
        "untaint",
    }
)
IN_WORKSPACES = frozenset({"delete", "list", "new", "select"})
OF_TERRAGRUNT = frozenset({"--", "run", "run-all", "stack"})
ENDS = "\"'`)"
# Texts for people, which may name commands.
SAID = re.compile(
    r"(?:\b(?:echo|printf|Write-(?:Host|Output|Information|Verbose|Warning|Error)"
    r"|[ef]?grep|rg|sed|awk|Select-String)\b"
    r"|(?<=\s)(?:-m|--message|--body|--title)[ =](?=[\"']))"
    r"(?:\"(?:[^\"\\]|\\.)*\"|'[^']*'|[^;&|\n\"'])*"
)
# What is said there is more than words: a command to the agent, or written where a shell reads it.
HEARD = re.compile(r"##vso\[|[>|]")
# A text of several lines, in a shell or PowerShell, with the line that it belongs to.
HERE = re.compile(
    r"^(?P<head>[^\n]*<<-?[ \t]*[\"']?(?P<end>\w+)[\"']?[^\n]*)\n.*?^[ \t]*(?P=end)[ \t]*$"
    r"|^(?P<before>[^\n]*)@(?P<quote>[\"'])[ \t]*\n.*?^(?P=quote)@(?P<after>[^\n]*)$",
    re.MULTILINE | re.DOTALL,
)
FOR_PEOPLE = re.compile(
    r"\.(?:md|txt|log)\b|STEP_SUMMARY\b|\bWrite-\w+\s*$|^\s*cat\s*<<-?\s*\S+\s*$"
)
SUBSTITUTED = re.compile(r"\$\(|(?<!\\)`")
# What sets a variable, to something: in a shell, PowerShell, a logging command, .NET or Docker.
SETS = r"(?<![\w${{])(?:\$env:)?{0}(?:\+?=(?!=)|[ \t]+=(?!=)|;[^\]\n]*\]|\]|[\"']\s*,)"
TO_NOTHING = re.compile(r"(?:[ \t]*(?:\"\"|''|\$null))?(?=[\s;&|)]|$)")
TO_NULL = re.compile(r"[ \t]*(?:\"\"|''|\$null)(?=[\s;&|)]|$)")
ROOT = re.compile(
    r"^(?:\$\((?:Build\.SourcesDirectory|System\.DefaultWorkingDirectory|Pipeline\.Workspace)\)"
    r"|\$\{\{ *github\.workspace *\}\}|\$\{?(?:GITHUB_WORKSPACE|BUILD_SOURCESDIRECTORY|PWD)\}?"
    r"|\$env:(?:GITHUB_WORKSPACE|BUILD_SOURCESDIRECTORY))(?:/s(?=/))?[/\\]",
    re.IGNORECASE,
)
# The folder of the script that says so.
BESIDE = re.compile(
    r"\$\([ \t]*dirname[ \t]+[\"']?\$\{?(?:0|BASH_SOURCE(?:\[0\])?)\}?[\"']?[ \t]*\)"
    r"|\$\{(?:0|BASH_SOURCE)%/\*\}|\$PSScriptRoot\b"
)
SCRIPT_SUFFIXES = (".sh", ".bash", ".ps1", ".cmd", ".bat")
SPACED = re.compile(r"\$\{\{[ \t]*([^{}\n]*?)[ \t]*\}\}")
MAKES = re.compile(r"(?:^|[\s;&|(])make((?:[ \t]+[^\s;&|<>]+)*)", re.MULTILINE)
MAKEFILES = ("GNUmakefile", "makefile", "Makefile")
TARGETS = re.compile(r"^([^\s:#=][^:#=\n]*)::?(?!=)([^\n]*)$")
PATIENCE = 20  # files that call each other


@dataclass(frozen=True)
class Part:
    """A part of what a step runs: its own script, or a file that it calls.

    `file` is empty for its own.
    """

    text: str
    file: str = ""


def plain(text: str) -> str:
    """Return a script without its comments, each command on a line of its own; for `line_of`."""
    return CONTINUED.sub(_joined, HERE.sub(_heard, COMMENT.sub("", text)))


def line_of(text: str, offset: int) -> int:
    """Return the line, from 1 on, of the file that `plain` has made a text of."""
    return 1 + sum(text.count(end, 0, offset) for end in ("\n", JOINT))


def _joined(end: re.Match[str]) -> str:
    return " " + JOINT * end[0].count("\n")


def _heard(here: re.Match[str]) -> str:
    """Return a text of several lines; empty ones where it is only for people."""
    around = filter(None, (here["head"], here["before"], here["after"]))
    return _emptied(here[0]) if any(map(FOR_PEOPLE.search, around)) else here[0]


def _emptied(text: str) -> str:
    """Return what keeps the lines below a text at their places."""
    return "".join(end for end in text if end in "\n" + JOINT)


def without_words(script: str) -> str:
    """Return a script without the texts in it that are for people."""
    return SAID.sub(
        lambda said: said[0] if SUBSTITUTED.search(said[0]) else _emptied(said[0]), script
    )


def runs_terraform(script: str) -> bool:
    """Tell whether a script runs Terraform in a way that signs in."""
    return terraform_line(script) > 0


def terraform_line(script: str) -> int:
    """Return the line in which a script signs in by Terraform; 0 where none does."""
    run, offset = without_words(script), 0
    for line in run.split("\n"):
        if _signs_in(line):
            return line_of(run, offset)
        offset += len(line) + 1
    return 0


def _signs_in(line: str) -> bool:
    if PYTEST.search(line):
        return True
    for program in PROGRAM.finditer(line[:LONGEST_LINE]):
        words = [*_words(line[program.end() : LONGEST_LINE])]
        if _is_sign_in(words, is_command=COMMANDING.search(line[: program.start()]) is not None):
            return True
    return False


def _words(text: str) -> Iterator[str]:
    """Yield the words of a command, up to the next one."""
    for found in WORD.finditer(text):
        if found[0][0] in ";&|":
            return
        yield found[0]


def _is_sign_in(words: list[str], *, is_command: bool) -> bool:
    """Tell whether a command, from its options on, is one that signs in."""
    if "-backend=false" in words:
        return False
    is_value = False  # of an option that the word before was
    for position, word in enumerate(words):
        known = word.rstrip(ENDS)
        if known in SIGN_IN:
            return True
        if known == "workspace":
            return any(one.rstrip(ENDS) in IN_WORKSPACES for one in words[position + 1 :])
        if word.startswith("-") or known in OF_TERRAGRUNT:
            is_value = word.startswith("-") and "=" not in word
        elif is_value:
            is_value = False
        else:
            return is_command and AN_EXPRESSION.fullmatch(word) is not None
    return False


def sets(name: str, script: str) -> bool:
    """Tell whether a script gives a variable a value; what is unset or emptied is taken out."""
    return setting_line(name, script) > 0


def setting_line(name: str, script: str) -> int:
    """Return the line in which a script gives a variable a value; 0 where none does."""
    if name not in script:
        return 0
    told = without_talk(script)
    for found in re.finditer(SETS.format(name), told):
        in_a_shell = found[0].endswith("=") and " " not in found[0] and "$env" not in found[0]
        nothing = TO_NOTHING if in_a_shell or found[0].endswith("]") else TO_NULL
        if not nothing.match(told, found.end()):
            return line_of(told, found.start())
    return 0


def without_talk(script: str) -> str:
    """Return a script without what people read alone: what is said to set a variable stays."""
    return SAID.sub(_set_by, script)


def _set_by(said: re.Match[str]) -> str:
    """Return what is said where it may set a variable, and nothing where people read it."""
    rest = said.string[said.end() : said.end() + 1]
    is_heard = HEARD.search(said[0]) or rest == "|" or SUBSTITUTED.search(said[0])
    return said[0] if is_heard else _emptied(said[0])


def with_called(script: str, *, folder: str, others: Others) -> tuple[Part, ...]:
    """Return a script, and what it calls of the same repository.

    Args:
        script: The script, without comments.
        folder: The folder that it runs in.
        others: Returns what a file of the repository holds; nothing where there is none.
    """
    parts, waiting, seen = [Part(script)], [script], set[str]()
    while waiting and len(seen) < PATIENCE:
        text = waiting.pop()
        for name, made in _called(text, folder):
            if name in seen:
                continue
            seen.add(name)
            content = _recipes(others(name), made) if made is not None else others(name)
            if content.strip():
                told = BESIDE.sub(f"./{posixpath.dirname(name)}", plain(content))
                parts.append(Part(told, name))
                waiting.append(told)
    return tuple(parts)


def _called(script: str, folder: str) -> Iterator[tuple[str, list[str] | None]]:
    """Yield the files that a script may mean, and the targets where one is a Makefile."""
    for word in re.split(r"[\s;&|\"'=,]+", SPACED.sub(r"${{\1}}", script)):
        if word.lower().endswith(SCRIPT_SUFFIXES) and len(word) < LONGEST_LINE:
            for one in _within(word, folder):
                yield one, None
    for made in MAKES.finditer(script):
        words = made[1][:LONGEST_LINE].split()
        where = words[words.index("-C") + 1] if "-C" in words[:-1] else ""
        targets = [word for word in words if not word.startswith("-") and "=" not in word]
        for makefile in MAKEFILES:
            for one in _within(posixpath.join(where, makefile), folder):
                yield one, targets


def _within(path: str, folder: str) -> Iterator[str]:
    """Yield where a path may lead in the repository: from the folder, or from its top."""
    for base in dict.fromkeys((folder, "")):
        joined = ROOT.sub("", path.replace("\\", "/"))
        if joined == path.replace("\\", "/"):
            joined = posixpath.join(
                ROOT.sub("", f"{base}/".replace("\\", "/")) if base else "", joined
            )
        whole = posixpath.normpath(joined)
        if not whole.startswith(("/", "..")) and "$" not in whole:
            yield whole


def _recipes(makefile: str, targets: list[str]) -> str:
    """Return what targets of a Makefile run, with those that they need; the first by default.

    Its other lines are empty.
    """
    recipes: dict[str, list[int]] = {}  # the lines of each
    needs: dict[str, list[str]] = {}
    current: list[str] = []
    lines = makefile.splitlines()
    for number, line in enumerate(lines):
        found = TARGETS.match(line)
        if found is not None:
            current = found[1].split()
            wanted, _, lines[number] = found[2].partition(";")
            for target in current:
                needs.setdefault(target, []).extend(wanted.split())
                recipes.setdefault(target, []).append(number)
        elif line.startswith("\t"):
            for target in current:
                recipes[target].append(number)
    named = [target for target in targets if target in recipes]
    waiting = named or [target for target in recipes if not target.startswith(".")][:1]
    done: dict[str, None] = {}
    while waiting:
        target = waiting.pop()
        if target not in done:
            done[target] = None
            waiting += needs.get(target, [])
    wanted_lines = {number for target in done for number in recipes.get(target, [])}
    return "\n".join(line if n in wanted_lines else "" for n, line in enumerate(lines))
