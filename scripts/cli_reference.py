"""mkdocs hook: the terminal's reference is its own --help, so it is never out of date."""

from __future__ import annotations

from typing import Any

import click

MARKER = "<!-- commands -->"


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Put the help of every command where the marker stands."""
    if MARKER not in markdown:
        return markdown
    from napari_slagseg.cli.entry import commands

    root = click.Context(commands, info_name="slagseg", terminal_width=88)
    parts = [_help(commands, root)]
    for name in commands.list_commands(root):
        command = commands.get_command(root, name)
        if command is None or command.hidden:
            continue
        parts.append(f"## {name}")
        context = click.Context(command, info_name=name, parent=root, terminal_width=88)
        parts.append(_help(command, context))
        if isinstance(command, click.Group):
            for inner in command.list_commands(context):
                nested = command.get_command(context, inner)
                if nested is not None:
                    parts.append(f"### {name} {inner}")
                    own = click.Context(nested, info_name=inner, parent=context, terminal_width=88)
                    parts.append(_help(nested, own))
    return markdown.replace(MARKER, "\n\n".join(parts))


def _help(command: click.Command, context: click.Context) -> str:
    return f"```text\n{command.get_help(context)}\n```"
