"""What a program's commands must wait for."""
