"""Tables of the terminal: names are text on any console."""

import io

from rich.console import Console

from cointer_gym.report.tables import table


def test_names_in_tables_are_no_markup_on_an_ordinary_console():
    shown = table("Feature", "Value", title="[red]title :car:")
    shown.add_row("[/red]", "[red]conv", style="bold")
    shown.add_row(":car:", "1")
    console = Console(file=io.StringIO(), width=80)
    console.print(shown)
    text = console.file.getvalue()
    assert all(name in text for name in ("[red]title :car:", "[/red]", "[red]conv", " :car:"))
