class HealthError(Exception):
    """``str()`` of it is safe to show."""


class SilenceInvalid(HealthError):
    """Without a reason, an end, or anybody who wants it."""


class SilenceUnknown(HealthError):
    """There is none of that number, or it is over."""


class ChannelUnknown(HealthError):
    """Nothing of that name is set up."""


class AlreadyAlerting(HealthError):
    """A server of this host does it, or alerting is turned off."""
