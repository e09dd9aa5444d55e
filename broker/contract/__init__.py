"""The contract as data, and its generators: subjects.md is written from here and never by hand."""
