"""How fast requests leave: the platform's rate limit, its outages, and the caller's own ceiling."""

from contactsdk.pacing.circuit_breaker import BreakerState
from contactsdk.pacing.pacer import Pacer, Turn
from contactsdk.pacing.rate_cap import RateCap

__all__ = ["BreakerState", "Pacer", "RateCap", "Turn"]
