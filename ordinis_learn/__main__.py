"""``python -m ordinis_learn`` is ``ordinis-learn``."""

from ordinis_learn.cli import main

main()
