from django import template

from locking import durations

register = template.Library()
register.filter(durations.spoken)
