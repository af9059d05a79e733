"""Running what is planned: workers, executors, and the loop that stores their outcomes."""
