"""The blocks of the accelerator as the cycle model steps them: a file for each box of hardware, or for some of them."""
