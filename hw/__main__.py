"""``python -m hw`` was a command once; now it only tells the command that replaces it."""

from reprise.support.command_line import say

if __name__ == "__main__":
    names = {
        "": "reprise verilog",
        "verilog": "reprise verilog",
        "presets": "reprise presets",
        "estimate": "reprise area",
    }
    say("hw", names)
