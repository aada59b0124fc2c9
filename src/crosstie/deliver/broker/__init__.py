"""Message brokers: events go out to them as deliveries and come in as arrivals; none of them holds the truth."""
