"""`python -m bot`: the command line without its script."""

from bot.cli import main

main()
