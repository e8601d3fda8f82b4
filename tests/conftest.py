"""What every test shares: Hypothesis does not fail a test for being slow on a busy machine."""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "danseo", deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None
)
settings.load_profile("danseo")
