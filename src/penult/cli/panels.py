"""What `penult --help` lists the commands under."""

import typer

PANELS = {
    "Extract": ("extract", "classify", "failures", "verify"),
    "Use a table": (
        "info",
        "view",
        "search",
        "index",
        "duplicates",
        "cluster",
        "map",
        "outliers",
        "sample",
        "probe",
        "compare",
    ),
    "Weights and networks": ("models", "describe", "inspect", "download"),
    "Other programs": ("export", "convert"),
    "2018's commands": ("compute_features", "load_features"),
}


def arrange(app: typer.Typer) -> None:
    """Put each command in its panel, and all in this order; one without a panel is an error."""
    panels = {name: panel for panel, names in PANELS.items() for name in names}
    order = list(panels)
    for command in app.registered_commands:
        command.rich_help_panel = panels[_name(command)]
    app.registered_commands.sort(key=lambda command: order.index(_name(command)))


def _name(command: typer.models.CommandInfo) -> str:
    return command.callback.__name__ if command.callback else ""
