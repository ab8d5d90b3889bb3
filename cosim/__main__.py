"""``python -m cosim`` was a command, and now says its new name."""

from reprise.support.command_line import say

if __name__ == "__main__":
    names = {
        "": "reprise cosim",
        "run": "reprise cosim",
        "capture": "reprise cosim --capture",
        "soak": "reprise soak",
    }
    say("cosim", names)
