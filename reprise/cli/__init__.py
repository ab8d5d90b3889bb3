"""The command ``reprise``: one application, which tells every mistake in the same way."""
