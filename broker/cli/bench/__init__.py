"""`heimdall bench`: the figures that the README claims, each with its checker: a run with a violation has none."""
