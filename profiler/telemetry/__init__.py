"""What sensors and kernel files say of the board: its state at a moment, and meters of energy. One file per source."""
