"""What staff see: the home page, and the rows behind the wall."""
