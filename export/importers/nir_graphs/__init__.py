"""What a NIR graph means, and which of its nodes say something together."""
