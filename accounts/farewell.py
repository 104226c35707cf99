"""What a browser is told with the end of a session."""

# Over https it forgets what the site left there, pages too: nobody goes back to one of them.
FORGET = {"Clear-Site-Data": '"cache", "cookies", "storage"'}
