"""The command `tfoidc`, as `python -m pytest_tfoidc.cli`."""

from __future__ import annotations

import sys

from pytest_tfoidc.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
