from hypothesis import settings

settings.register_profile("compiled", deadline=None)  # the first example waits for the compiler
settings.load_profile("compiled")
