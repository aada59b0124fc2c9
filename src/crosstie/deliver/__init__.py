"""What leaves and what knocks: webhooks, brokers, inbound sources."""
