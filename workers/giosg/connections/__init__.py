"""Which rooms of giosg there are, and how to reach them."""
