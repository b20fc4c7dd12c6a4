"""`convscope` and `python -m convscope`: the command line."""

from typing import NoReturn

from convscope.signals import exit_on_signals


def main() -> NoReturn:
    """Run the command line of this process, which a signal ends in one sentence."""
    exit_on_signals()  # before the imports, which take seconds
    from convscope.cli import main as run  # noqa: PLC0415

    run()


if __name__ == "__main__":
    main()
