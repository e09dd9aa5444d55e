"""The processes: one folder each, meeting only on the bus."""
