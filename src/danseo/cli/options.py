"""The options that many commands share, written once.

They are options of each command, so that they can stand anywhere after its name.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Home = Annotated[
    str | None,
    typer.Option("--home", metavar="DIR", help="The host's folder [DANSEO_HOME; here]."),
]
As = Annotated[
    str | None,
    typer.Option("--key", metavar="NAME", help="The key to act with [DANSEO_KEY]."),
]
Lang = Annotated[
    str | None,
    typer.Option("--lang", metavar="en|ko", help="Language of the line you sign [DANSEO_LANG]."),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
Everyone = Annotated[
    bool, typer.Option("--everyone", help="Act with every key here that has this role.")
]
NoPassword = Annotated[
    bool,
    typer.Option("--no-password", help="Leave the key unencrypted: for trials, not for money."),
]
Evidence = Annotated[
    str, typer.Option(help="What shows that the money moved: a receipt, a transfer's reference.")
]
Name = Annotated[str, typer.Argument(metavar="NAME", help="The challenge's name.")]
ClueId = Annotated[
    int, typer.Argument(metavar="ID", help="The clue's number: the index of its commitment.")
]
Who = Annotated[str, typer.Argument(metavar="WHO", help="The name of a key here, or an address.")]
Money = Annotated[
    str, typer.Argument(metavar="AMOUNT", help='Amount and asset, as in "10_000 KRW".')
]
Cites = Annotated[
    list[str] | None,
    typer.Option(
        "--cite",
        metavar="ID[:WEIGHT]",
        help="A clue that it builds on. Without weights, cited clues share alike.",
    ),
]
Unsigned = Annotated[
    bool,
    typer.Option("--unsigned", help="Print the transaction for another wallet to sign and send."),
]
OutFile = Annotated[Path, typer.Option("--out", help="The file to write.")]
OutFolder = Annotated[Path, typer.Option("--out", help="The folder to write the files to.")]
