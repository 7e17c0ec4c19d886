"""The pytest floor: options, items, fixtures and reports. Nothing else here imports pytest.

`-p pytest_tfoidc.plugin` loads the hooks, as the entry point does.
"""

pytest_plugins = ("pytest_tfoidc.plugin.hooks",)
