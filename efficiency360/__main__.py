"""`python -m efficiency360` is `e360`."""

from efficiency360.cli import main

main()
