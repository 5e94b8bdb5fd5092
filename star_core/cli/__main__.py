"""``python -m star_core.cli`` is the ``star`` command."""

from star_core.cli import main

main()
