"""``python -m export`` was a command, and now says its new name."""

from reprise.support.command_line import say

if __name__ == "__main__":
    names = {
        "": "reprise train",
        "train": "reprise train",
        "check": "reprise check",
        "show": "reprise show",
        "import-nir": "reprise import nir",
        "import-spikingjelly": "reprise import spikingjelly",
    }
    say("export", names)
