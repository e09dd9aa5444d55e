"""`heimdall channels`: an org's ways to outside systems, one file per command."""
