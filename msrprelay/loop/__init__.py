"""The event loop as calls use it: time, tasks, and thousands of deadlines on one timer."""
