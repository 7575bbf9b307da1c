"""Composition root: reads the command, builds what it needs, dispatches. The only file that knows window and commands."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from app import cli


def main(arguments: Sequence[str] | None = None) -> int:
    given = list(sys.argv[1:] if arguments is None else arguments)
    options = cli.parser().parse_args(given)
    if options.command in cli.COMMANDS:
        return cli.run(options)
    if options.command == "demo":
        from app.demo import main as demo

        return demo(options.out, options.language or "en")
    from app.ui.application import run_window

    return run_window(
        paths=list(getattr(options, "paths", [])),
        samples=bool(getattr(options, "samples", False)),
        language=options.language or "",
    )


if __name__ == "__main__":
    sys.exit(main())
