"""The meanings of error texts of Terraform, Entra and pipelines, and what to do about them.

Source: docs/protocol.md, section 9.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from pytest_tfoidc.entrafacts import ENTRA_PREFIX, MEANINGS
from pytest_tfoidc.refreshfloors import AZUREAD, AZURERM, FLOORS, TERRAFORM, floor_of, floors_of
from pytest_tfoidc.reporting.servicecodes import (
    CODED,
    SERVICES,
    filled,
    is_in_azures_words,
)
from pytest_tfoidc.statelocks import StateLock, find_lock

FLOOR = FLOORS[TERRAFORM]


@dataclass(frozen=True)
class Diagnosis:
    """Why something failed, and the remedy.

    `code`: Entra's, by which people look it up. `is_plain`: Terraform's own words say what is wrong
    in the user's terms already.
    """

    cause: str
    remedy: str
    code: str = ""
    is_plain: bool = False

    @property
    def headline(self) -> str:
        """The cause in a few words, after the code that it is known by."""
        said = re.split(r"[:;] ", self.cause, maxsplit=1)[0].rstrip(".:;")
        return f"{self.code}: {said}" if self.code else said

    @property
    def below_headline(self) -> str:
        """The rest, below the headline: the cause, where it says more than that, and the remedy."""
        is_all = self.headline == self.cause.rstrip(".") and not self.is_plain
        return f"Remedy: {self.remedy}" if is_all else str(self)

    def __str__(self) -> str:
        """Return both, a line each."""
        return f"Cause: {self.cause}\nRemedy: {self.remedy}"


REGISTRY = (
    r"(?:Failed to query available provider packages|Failed to install provider"
    r"|Error accessing remote module registry|provider registry for|could not connect to \S+:)"
)
OUT_OF_REACH = (
    r"(?:tfoidc could not reach|dial tcp|proxyconnect|no such host|connection refused"
    r"|connection reset|i/o timeout"
    r"|deadline exceeded|Client\.Timeout|TLS handshake|x509:|unreachable|\bEOF\b|\b50[234]\b)"
)
# A module's source, and what git says of it.
DOWNLOAD = r"(?:Failed to download module|Could not download module)"
NO_WAY = (
    r"(?:Could not resolve host|Temporary failure in name resolution|tfoidc could not reach"
    r"|CONNECT tunnel failed|Failed to connect to|Connection timed out|Connection refused)"
)
NO_REVISION = (
    r"(?:Remote branch \S+ not found|couldn't find remote ref|pathspec '\S+' did not match)"
)
NOT_LET_IN = (
    r"(?:Authentication failed for|could not read (?:Username|Password)"
    r"|Permission denied \(publickey|Host key verification failed|Repository not found"
    r"|returned error: 40[13]|TF401019)"
)
FULL_DISK = r"no space left on device|disk quota exceeded|not enough space on the disk"
ENTRA = tuple(
    (rf"{ENTRA_PREFIX}{number}\b", meaning.cause, meaning.remedy)
    for number, meaning in MEANINGS.items()
)
# The first that matches wins: the more special one stands before the more general one.
KNOWN: tuple[tuple[str, str, str], ...] = (
    (
        FULL_DISK,
        "a disk is full: what had to be written was not.",
        "make room on it, or set TMPDIR to a folder on another one.",
    ),
    (
        r"to be managed via Terraform this resource needs to be imported|Resource already exists",
        (
            "a resource of this name exists already, and belongs to somebody else: a test neither"
            " imports nor changes nor destroys it."
        ),
        (
            "give the test's resources names of their own by a variable, a suffix say:"
            " --tf-var suffix=-test."
        ),
    ),
    (
        r"Saved plan is stale",
        "the state has changed since the plan was made. No token has expired.",
        "plan again and apply that plan; let nothing apply between the two.",
    ),
    (
        r"Saved plan does not match the given state",
        "the plan is for another state: it was made with another backend or workspace.",
        "plan again where it is applied.",
    ),
    *ENTRA,
    (
        r"InvalidAuthenticationTokenTenant|LinkedAuthorizationFailed",
        "a resource belongs to another tenant than the one that was signed in to.",
        (
            "give the provider the `tenant_id` of its subscription, and `auxiliary_tenant_ids` for"
            " what lies in other tenants."
        ),
    ),
    (
        r"SubscriptionNotFound",
        "there is no such subscription, or the identity may not see it.",
        (
            "correct the subscription's id; on a stand-in with --tf-strict-identities, list it with"
            " --tf-identity subscription=ID."
        ),
    ),
    (
        r"unsupported protocol scheme",
        "the request URL is empty or was not expanded.",
        "set ARM_OIDC_REQUEST_URL, or use a version of the task that supports federation.",
    ),
    (
        r"nil JWT assertion received from ADOPipeline",
        "the pipeline's ID token endpoint answered without a token.",
        "look at the body of its answer.",
    ),
    (
        r"Stack trace from the \S+ plugin",
        "the provider crashed, and what else it was at ended with that.",
        (
            "the first function below `panic:` shows where. On the stand-in, it may have read a"
            " property that Azure gives and the stand-in does not: docs/stand-in.md tells how to"
            " add one."
        ),
    ),
    (
        r"githubAssertion: received HTTP status 405",
        (
            "a GitHub request reached Azure DevOps' ID token endpoint: the service connection's id"
            " is missing, or this client does not speak Azure DevOps' protocol"
            f" ({floors_of(AZURERM, AZUREAD, joint=' does from ')})."
        ),
        (
            "set ARM_OIDC_AZURE_SERVICE_CONNECTION_ID, use a newer version of the provider, or"
            " leave --tf-no-relay out: the relay answers both protocols."
        ),
    ),
    (
        r"adoPipelineAssertion: received HTTP status",
        "Azure DevOps refused to give an ID token.",
        (
            "check that the step maps SYSTEM_ACCESSTOKEN, and that the service connection is an"
            " input of a task in this stage."
        ),
    ),
    (
        r"could not configure AzureCli Authorizer|Please run 'az login'",
        (
            "every way to authenticate with OIDC was skipped: a variable is missing, or a version"
            " is too old for it."
        ),
        "set ARM_USE_OIDC, the request URL, the request token and the service connection's id.",
    ),
    (
        (
            r"(?<!Assigned )\bIdentity not found\b|Could not fetch access token for Azure"
            r"|only support(?:\(s\)|s)? service principal authorization"
        ),
        "the pipeline's task does not support workload identity federation.",
        "use a newer version of the task, or run Terraform in a script of AzureCLI@2.",
    ),
    (
        r"Backend configuration changed",
        "init ran before with another backend configuration, such as another cached token.",
        "run init with -reconfigure, and take the token out of the backend configuration.",
    ),
    (
        r"InvalidSubscriptionId",
        "the subscription's id is no GUID.",
        "give its id, as `az account show --query id` prints it, and not its name.",
    ),
    (
        r"No valid credential sources found",
        (
            "an s3 backend, of a remote state or of the module, finds no AWS credentials: the"
            " stand-in plays Azure alone."
        ),
        (
            "give AWS credentials to the run and let the hosts through with --tf-allow-host"
            " '*.amazonaws.com', or override what reads it in run blocks (override_data)."
        ),
    ),
    (
        r"its original provider configuration at \S+ is required",
        (
            "no `provider` block configures {alias}: the module expects it of its caller"
            " (`configuration_aliases`, `providers`), or forgot it."
        ),
        (
            "test an example of the module that hands it over (--tf-module examples/NAME), or add"
            " the provider block."
        ),
    ),
    (
        r"(?<!on <empty> )(?:Insufficient features blocks|The argument \"features\" is required)",
        "a `provider` block of azurerm has no `features` block: each has to have one, aliases too.",
        "add `features {}` to the block that is named.",
    ),
    (
        (
            r"requires explicit configuration\. Add a provider block"
            r"|on <empty> (?:Insufficient|The argument)"
        ),
        (
            "the module has no `provider` block for a provider that cannot do without one: it is a"
            " module to be called by others."
        ),
        "add a provider block, or test an example of the module (--tf-module examples/NAME).",
    ),
    (
        r"no available releases match the given constraints",
        "no version of {provider} that can be had here meets the module's constraint{constraint}.",
        (
            "put a version that does into the mirror, or widen the constraint; modules that are"
            " called may add constraints of their own."
        ),
    ),
    (
        r"was not found in any of the search locations",
        "{provider} is in no mirror that the CLI configuration names.",
        (
            "put it there (`terraform providers mirror`), or correct its `source` in"
            " `required_providers`: a provider that none is given for is looked for among"
            " HashiCorp's (azapi is azure/azapi)."
        ),
    ),
    (
        r"previously-selected version \S+ is no longer available",
        "the lock file has chosen a version of {provider} that cannot be had here{selected}.",
        (
            "put that version into the mirror, or choose anew with `terraform init -upgrade` and"
            " commit .terraform.lock.hcl."
        ),
    ),
    (
        r"does not support (?:Terraform|OpenTofu) version \S+",
        "`required_version` leaves out the version that runs here.",
        "run another one with --tf-executable PATH, or widen `required_version`.",
    ),
    (
        r"Instance cannot be destroyed",
        "`prevent_destroy` forbids what the plan would do; it is lifted for the clean-up alone.",
        "keep the change from replacing the resource, or take prevent_destroy out for it.",
    ),
    (
        (
            r"Backend initialization required|make the initial dependency selections"
            r"|Module not installed"
        ),
        "the workspace was not initialized: init comes before every other command.",
        (
            "call `init()` of the workspace first, or use `with workspace.deployed():`, which does"
            " so, applies, and destroys at the end."
        ),
    ),
    (
        r"registry \S+ does not have a provider named",
        "the registry has no provider of this name{named}.",
        (
            "correct its `source` in `required_providers`: a provider that none is given for is"
            " looked for among HashiCorp's (azapi is azure/azapi)."
        ),
    ),
    (
        r"Inconsistent dependency lock file|checksums previously recorded in the dependency lock",
        "the lock file does not fit the module, or lacks a provider's checksum for this platform.",
        (
            "run `terraform providers lock -platform=linux_amd64` (and your other platforms) in the"
            " module, and commit .terraform.lock.hcl."
        ),
    ),
    (
        r"failed to query provider mirror .*" + OUT_OF_REACH,
        "the mirror that the CLI configuration names is out of reach{mirror}.",
        "reach it through HTTPS_PROXY say, or correct its `url` there (`network_mirror`).",
    ),
    (
        REGISTRY + r".*" + OUT_OF_REACH,
        "the registry is out of reach, so {provider} could not be had.",
        (
            "reach it through HTTPS_PROXY, or name a mirror in a CLI configuration file"
            " (TF_CLI_CONFIG_FILE, `provider_installation`)."
        ),
    ),
    (
        r"refused by tfoidc",
        "the run asked for {host}, which the stand-in does not play.",
        (
            "leave the resource out of the simulated run, or let the host through with"
            " --tf-allow-host."
        ),
    ),
    (
        DOWNLOAD + r".*" + NO_WAY,
        "the source of a module could not be reached{source}.",
        "reach its host from here, through HTTPS_PROXY say; ssh knows no such proxy.",
    ),
    (
        DOWNLOAD + r".*" + NO_REVISION,
        "the source of a module has no such `ref`{source}.",
        "correct the `ref`, or push the branch or tag that it names.",
    ),
    (
        DOWNLOAD + r".*" + NOT_LET_IN,
        "the source of a module is not open to whoever runs this{source}.",
        (
            "let git sign in, as for plain Terraform: a header with the job's token"
            " (`http.extraheader`), `url.….insteadOf`, or an ssh key and its known_hosts."
        ),
    ),
    (
        r"No value for required variable",
        "the module has a required variable without a value.",
        "give it with --tf-var NAME=VALUE, --tf-var-file FILE or TF_VAR_NAME.",
    ),
    (
        r"Invalid value for input variable|Invalid value for variable",
        "a variable's value has the wrong type, or its validation refuses it.",
        "give another value, with --tf-var, --tf-var-file or TF_VAR_…, or change its default.",
    ),
    (
        r"Value for undeclared variable",
        "the module declares no variable of this name.",
        "correct the name that --tf-var gives.",
    ),
    *SERVICES,
)
PROVIDER = re.compile(
    r"(?:versions for provider|provider registry for(?: provider)?|while installing)"
    r" ((?:[\w.-]+/)+[\w-]+)"
)

SELECTED = re.compile(r"previously-selected version (\S+) is")
ALIAS = re.compile(r"configuration at provider\[\"[^\"]*/([\w-]+)\"\](\.[\w-]+)? is required")
SOURCE = re.compile(r"[Cc]ould not download module.*? source code from \"([^\"]+)\"")
MIRROR = re.compile(r"failed to query provider mirror (\S+)")
SECRET_PART = re.compile(r"//[^/@\s]*@")
NAMED = re.compile(r"does not have a provider named (?:[\w.-]+/)?([\w-]+/[\w-]+)")
HOST = re.compile(
    r"refused by tfoidc(?:, \d+ times)?:(?: the stand-in does not play https://([\w.-]+)"
    r"| ([\w.:-]+) is (?:neither|not))"
)
PLAIN = re.compile(
    r"\bvariable\b|cannot be destroyed|already exists|does not support|InvalidSubscriptionId"
)  # of the table's patterns
CONSTRAINT = re.compile(r"match the given constraints ([~<>=!\d., \w-]*\d)")


# What programs say that had no more than an answer of 403 from the proxy; and where they are run.
TURNED_AWAY = re.compile(r"\b403\b|[Ff]orbidden|[Pp]roxy|CONNECT|[Tt]unnel")
PROGRAM = re.compile(r"provisioner error|External Program")


def diagnose(
    text: str,
    *,
    release: tuple[int, int, int] = FLOOR,
    holder: str = "",
    refused: Sequence[str] = (),
) -> Diagnosis | None:
    """Find the cause and the remedy for what Terraform printed.

    Args:
        text: What Terraform printed.
        release: Terraform's version.
        holder: Who we are in the locks of states, as `user@host`.
        refused: The hosts that the stand-in has refused meanwhile.

    Returns:
        None where the text is none that is known.
    """
    lock = None if re.search(FULL_DISK, text) else find_lock(text)  # a lock that nobody holds
    if lock is not None:
        return _locked(lock, holder)
    unwrapped = re.sub(r"\s*\n[│|\s]*", " ", text)
    if release < FLOOR and re.search(r"\b405\b", unwrapped):
        return _below_the_floor(release)
    is_named = any(host in unwrapped for host in refused)
    if refused and (HOST.search(unwrapped) or (is_named and TURNED_AWAY.search(unwrapped))):
        return _turned_away(refused, is_sure=True)
    for pattern, cause, remedy in KNOWN:
        found = re.search(pattern, unwrapped)
        if found:
            named = PROVIDER.search(unwrapped)
            provider = named[1] if named else "a provider or a module"
            asked = CONSTRAINT.search(unwrapped)
            constraint = f" ({asked[1].strip()})" if asked else ""
            unknown = NAMED.search(unwrapped)
            name = f" ({unknown[1]})" if unknown else ""
            told = cause.replace("{provider}", provider).replace("{constraint}", constraint)
            told = told.replace("{named}", name).replace("{host}", _host(unwrapped))
            told = told.replace("{alias}", _alias(unwrapped))
            told = told.replace("{selected}", _in_brackets(SELECTED, unwrapped))
            told = told.replace("{source}", _in_brackets(SOURCE, unwrapped))
            told = told.replace("{mirror}", _in_brackets(MIRROR, unwrapped))
            told = filled(told, unwrapped)
            code = found[0] if found[0].startswith(ENTRA_PREFIX) or pattern in CODED else ""
            is_plain = bool(PLAIN.search(pattern)) or is_in_azures_words(pattern, cause)
            return Diagnosis(told, remedy, code=code, is_plain=is_plain)
    is_sure = TURNED_AWAY.search(unwrapped) is not None
    if refused and (is_sure or PROGRAM.search(unwrapped)):
        return _turned_away(refused, is_sure=is_sure)
    return None


def _turned_away(hosts: Sequence[str], *, is_sure: bool) -> Diagnosis:
    """Say which hosts were refused, where a program did not."""
    options = " ".join(f"--tf-allow-host {host}" for host in hosts)
    return Diagnosis(
        f"the run asked for {' and '.join(hosts)}, which the stand-in does not play.",
        "leave what asks for it out of the simulated run, or let it through to the real one with"
        f" {options}.",
        is_plain=not is_sure,
    )


def _in_brackets(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.search(text)
    return f" ({SECRET_PART.sub('//', found[1])})" if found else ""


def _alias(text: str) -> str:
    """Name a provider as `provider` arguments do."""
    found = ALIAS.search(text)
    return "".join(filter(None, found.groups())) if found else "a provider"


def _host(text: str) -> str:
    """Name the host that was refused, as our own words have it."""
    found = HOST.search(text)
    return next(filter(None, found.groups())) if found else "a host"


def _locked(lock: StateLock, holder: str) -> Diagnosis:
    """Say who holds a state's lock, since when, and whether that may be a run of ours."""
    is_ours = bool(lock.who) and lock.who == holder
    whose = (
        "that is this user on this machine: another run at the same time, or one that was killed"
        if is_ours
        else "that is not this run"
    )
    unlock = f"terraform force-unlock {lock.id}" if lock.id else "break the lease of the state"
    sweep = "`tfoidc sweep` takes over the lock of a run that was killed. " if is_ours else ""
    return Diagnosis(
        f"the state is locked by {lock}; {whose}.",
        f"wait for it with --tf-lock-timeout 5m. {sweep}Only if whoever holds it has ended:"
        f" {unlock}.",
    )


def _below_the_floor(release: tuple[int, int, int]) -> Diagnosis:
    floor = floor_of(TERRAFORM)
    return Diagnosis(
        f"the azurerm backend of Terraform {'.'.join(map(str, release))} does not speak Azure"
        f" DevOps' protocol for ID tokens: that came with Terraform {floor}"
        f" ({floors_of(AZURERM, AZUREAD)}).",
        f"leave --tf-no-relay out, or use Terraform {floor} or newer.",
    )
