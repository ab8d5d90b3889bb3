"""``python -m reprise``: the same as the command ``reprise``."""

from .cli.app import main

if __name__ == "__main__":
    main()
