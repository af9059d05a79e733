"""What every report and command shows."""
