"""`convscope` and `python -m convscope`: the command line."""

import os
import sys
from typing import NoReturn

from convscope.signals import exit_on_signals
from convscope.startup import begin, exported_folder


def main() -> NoReturn:
    """Run the command line of this process, which a signal ends in one sentence."""
    exit_on_signals()  # before the imports, which take seconds
    begin(sys.argv[1:])
    if folder := exported_folder(sys.argv[1:]):
        from convscope.device import share_one_heap  # noqa: PLC0415 -- for it alone
        from convscope.exported.ahead import open_ahead  # noqa: PLC0415

        share_one_heap()
        open_ahead(folder, sys.argv[1:])
    from convscope.cli import main as run  # noqa: PLC0415

    run()


def _leave_current_folder() -> None:
    """Take the current folder off the path, where `python -m` puts it first; `convscope` does not.

    It stays where convscope itself lies in it. What is named as module:attr puts it back.
    """
    here = os.getcwd()  # noqa: PTH109 -- nothing more is imported before
    if not sys.flags.safe_path and sys.path[:1] == [here] and not __file__.startswith(here):
        del sys.path[0]


if __name__ == "__main__":
    _leave_current_folder()
    main()
