"""What `penult --help` lists the commands under, and what stands below the help of each."""

import typer

PANELS = {
    "Extract": ("extract", "classify", "failures", "verify", "merge"),
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
EVERYWHERE = "Of every command: --debug, --quiet, --threads and --remote; see penult --help."


def arrange(app: typer.Typer) -> None:
    """Put each command in its panel, and all in this order; a test holds that each has one."""
    panels = {name: panel for panel, names in PANELS.items() for name in names}
    order = {name: place for place, name in enumerate(panels)}
    for command in app.registered_commands:
        command.rich_help_panel = panels.get(_name(command), "Others")
        command.epilog = EVERYWHERE
    app.registered_commands.sort(key=lambda command: order.get(_name(command), len(order)))


def _name(command: typer.models.CommandInfo) -> str:
    return command.callback.__name__ if command.callback else ""
