"""What tests share: stream drivers, memories, oracles and jobs; and the tests of the room `support`."""
