from hypothesis import settings

# A shared machine may pause a test for longer than Hypothesis allows one example; `timeout` still bounds the whole.
settings.register_profile("steady", deadline=None)
settings.load_profile("steady")
