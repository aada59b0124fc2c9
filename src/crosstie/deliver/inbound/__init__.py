"""What knocks: webhooks of other parties at `/hooks/<token>`, proved, kept, and made events."""
