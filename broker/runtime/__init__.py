"""What every process needs: settings, logs, metrics, the worker loop, the embedded server."""
