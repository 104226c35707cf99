"""The page in the admin that shows what all apps are doing now."""
