"""Parameters of database servers: there with the server, each with the value that Azure sets.

The values are those of new servers (`az postgres flexible-server parameter list`); one that is not
listed has the value "on", so that it can be written and put back.
"""

from __future__ import annotations

from pytest_tfoidc.mockazure.arm.types.base import New, Properties

ON = "on"
DEFAULTS = {
    "array_nulls": ON,
    "autovacuum": ON,
    "azure.extensions": "",
    "backslash_quote": "safe_encoding",
    "connection_throttle.enable": ON,
    "deadlock_timeout": "1000",
    "idle_in_transaction_session_timeout": "0",
    "lock_timeout": "0",
    "log_checkpoints": ON,
    "log_connections": ON,
    "log_disconnections": ON,
    "log_duration": "off",
    "log_min_duration_statement": "-1",
    "log_statement": "none",
    "maintenance_work_mem": "155648",
    "max_connections": "859",
    "max_wal_size": "2048",
    "pgbouncer.enabled": "false",
    "require_secure_transport": ON,
    "shared_preload_libraries": "pg_cron,pg_stat_statements",
    "statement_timeout": "0",
    "TimeZone": "UTC",
    "wal_level": "replica",
    "work_mem": "4096",
    "audit_log_enabled": "OFF",
    "character_set_server": "utf8mb4",
    "interactive_timeout": "28800",
    "slow_query_log": "OFF",
    "time_zone": "SYSTEM",
    "tls_version": "TLSv1.2",
    "wait_timeout": "28800",
}
STATIC = frozenset({"max_connections", "shared_preload_libraries", "wal_level"})
_BY_KEY = {name.lower(): value for name, value in DEFAULTS.items()}


def parameter(new: New) -> Properties:
    """Return a server's parameter as nobody has written it yet."""
    name = new.name.lower()
    default = _BY_KEY.get(name, ON)
    return {
        "properties": {
            "value": default,
            "defaultValue": default,
            "dataType": "String",
            "description": f"The parameter {new.name}.",
            "allowedValues": "",
            "source": "system-default",
            "isDynamicConfig": name not in STATIC,
            "isReadOnly": False,
            "isConfigPendingRestart": False,
        }
    }


def mysql_parameter(new: New) -> Properties:
    """Return the same of a MySQL server, which writes what is true or false as a text."""
    return {"properties": _as_texts(parameter(new)["properties"])}


def of_written_mysql(new: New) -> Properties:
    """Return what a MySQL server's parameter that was written shows besides its value."""
    return _as_texts(of_written(new))


def _as_texts(properties: Properties) -> Properties:
    return {n: str(v) if isinstance(v, bool) else v for n, v in properties.items()}


def of_written(new: New) -> Properties:
    """Return what a parameter that was written shows besides its value."""
    properties: Properties = parameter(new)["properties"]
    return properties
