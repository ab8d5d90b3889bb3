"""``python -m model`` was a command; it says its new name."""

from reprise.support.command_line import say

if __name__ == "__main__":
    names = {
        "": "reprise density",
        "density": "reprise density",
        "estimate": "reprise estimate",
    }
    say("model", names)
