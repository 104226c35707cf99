from health.findings import Ward

ward = Ward("config")
