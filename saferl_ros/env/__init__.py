"""One junction as a decision process, and as a Gymnasium environment."""
