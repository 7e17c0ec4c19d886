"""The values arrive as they were given; sensitive outputs can be read."""

from __future__ import annotations

from pytest_tfoidc.terraform.workspace import Workspace


def test_values_arrive(tf_module: Workspace) -> None:
    with tf_module.deployed():
        assert tf_module.output("password") == "s3cret = with=equals"
        assert tf_module.output("given") == {
            "text": 'spaces, "quotes", ${braces} and ümläute',
            "number": 4.5,
            "flag": True,
            "list": ["a", "b c"],
            "set": ["1", "2"],
            "map": {"key": "value = more"},
            "tuple": ["one", 2, False],
            "object": {"name": "x", "tags": {"a": "b"}},
            "anything": [1, "two", {"three": [3]}],
            "nothing": True,
        }
