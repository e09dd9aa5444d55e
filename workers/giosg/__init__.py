"""A desk: giosg's agents answer in their console, the visitor stays on whatever channel it came by."""
