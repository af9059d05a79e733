"""From a suite to the cells and tasks that it comes to."""
