"""What commands are made of: fields of bits, and those of the largest command."""
