"""What operators look at: metrics, health, backups."""
