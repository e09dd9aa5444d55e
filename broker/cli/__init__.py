"""The program `heimdall`: one file per command; they watch and ask, and hold no state of their own."""
