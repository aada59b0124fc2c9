"""Stand-ins for outside parties, to develop, demonstrate and test against; the product never imports them."""
