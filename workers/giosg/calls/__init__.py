"""The calls that are made to giosg."""
