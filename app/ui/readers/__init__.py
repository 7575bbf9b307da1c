"""The second readers of this PC: their cards with every figure."""
